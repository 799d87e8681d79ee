/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A snapshot: a guest in a directory, as its migration brought it.
 *
 *     index.json       machine, uuid, blocks with their files, devices: for people and programs
 *     configuration    QEMU's own bytes, from 07 on
 *     devices          the device sections, EOF and the description, as they came
 *     devices-early    the device sections that came before RAM was whole, if there were any
 *     pages.manifest   digests of the pages at arrival (mem/manifest.h)
 *     ram/NAME         a sparse raw file for each block; see zc_snapshot_file_name
 *
 * It is made under a hidden name in the same parent directory and renamed when it is whole.
 */
#ifndef ZC_GUEST_SNAPSHOT_H
#define ZC_GUEST_SNAPSHOT_H

#include "guest/guest.h"
#include "mem/manifest.h"

#define ZC_SNAPSHOT_SCHEME "dir:"

struct zc_snapshot_device {
    char name[ZC_BLOCK_NAME_BYTES];
    uint32_t instance;
    uint32_t version;
    uint64_t bytes; /* its section, header and footer included */
    bool is_early;  /* it comes before RAM is whole */
};

/* What a guest is besides its pages. */
struct zc_snapshot {
    char *machine;           /* "pc-i440fx-7.2"; "none": an image */
    bool has_uuid;           /* that its channels or its configuration told */
    uint8_t uuid[16];
    uint32_t ram_section_id; /* that RAM had in the stream */
    GBytes *configuration;
    GBytes *tail;    /* NULL: no device state */
    GBytes *early;   /* sections of device state that come before RAM is whole, or NULL */
    bool has_early;        /* of an index that was read: the bytes are in a file */
    bool early_before_ram; /* they come before RAM's START, else behind it */
    GArray *devices; /* struct zc_snapshot_device: what is in both */
};

void zc_snapshot_init(struct zc_snapshot *snapshot);
void zc_snapshot_clear(struct zc_snapshot *snapshot); /* accepts one that is all zeros */

/* The file of block @name below ram/: '/', '%', control characters and a dot in front are %XX.  The
 * caller frees. */
char *zc_snapshot_file_name(const char *name);

/* The index as text; the caller frees. */
char *zc_snapshot_write_index(const struct zc_snapshot *snapshot, const struct zc_ram *ram,
                              const struct zc_manifest *manifest);

/*
 * Takes machine, uuid and section id into @snapshot, and into @ram the blocks, without their memory.
 * ZCMIG_ERROR_SOURCE: @text is no index of a snapshot.
 */
bool zc_snapshot_read_index(const char *text, size_t length, struct zc_snapshot *snapshot,
                            struct zc_ram *ram, GError **error);

/* A directory that is made at commit; @overwrite replaces a snapshot that is there. */
struct zc_store *zc_snapshot_store_new(const char *path, bool overwrite, GError **error);

/* dir:SNAPSHOT.  Its files are never written. */
struct zc_source *zc_snapshot_source_open(const char *uri, const char *path, GError **error);

#endif
