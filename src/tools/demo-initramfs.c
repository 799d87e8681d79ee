/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Design: "newc" is the one archive format that the kernel unpacks by itself:
 * per member a header of "070701" and 13 fields of 8 hex digits, the name, the
 * content, name and content each padded to 4 bytes; a member called TRAILER!!!
 * ends it.  A device node is only a mode and a number in a header, so no
 * privilege is needed to put /dev/console in, without which init would have no
 * output.
 */
#include "config.h"

#include <elf.h>
#include <string.h>
#include <sys/stat.h>

#include <zcmig/error.h>

#include "tools/demo-initramfs.h"

static const char *const busybox_paths[] = { "/bin/busybox", "/usr/bin/busybox" };

/* Random data in a tmpfs, then a dirtier that rewrites it in steps of 256 KiB. */
static const char init_script[] =
    "#!/bin/busybox sh\n"
    "b=/bin/busybox\n"
    "$b mount -t devtmpfs dev /dev\n"
    "$b mount -t tmpfs -o size=90%% tmpfs /mem\n"
    "$b dd if=/dev/urandom of=/mem/data bs=1M count=%" G_GUINT64_FORMAT " 2>/dev/null\n"
    "echo ready >/dev/ttyS0\n"
    "n=0\n"
    "while :; do\n"
    "    $b dd if=/dev/urandom of=/mem/data bs=64k count=4 conv=notrunc \\\n"
    "        seek=$((n * 4 %% %" G_GUINT64_FORMAT ")) 2>/dev/null\n"
    "    n=$((n + 1))\n"
    "    echo \"TICK $n\" >/dev/ttyS0\n"
    "    $b usleep 20000\n"
    "done\n";

static void pad(GByteArray *archive)
{
    static const guint8 zeros[4];

    g_byte_array_append(archive, zeros, (4 - archive->len % 4) % 4);
}

struct member {
    const char *name;
    guint32 mode;
    guint32 device_major;
    guint32 device_minor;
    const void *content;
    gsize length;
};

static void add(GByteArray *archive, guint32 inode, const struct member *member)
{
    gsize name_bytes = strlen(member->name) + 1;
    g_autofree char *header =
        g_strdup_printf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", inode,
                        member->mode, 0u, 0u, 1u, 0u, (guint32)member->length, 0u, 0u,
                        member->device_major, member->device_minor, (guint32)name_bytes, 0u);

    g_byte_array_append(archive, (const guint8 *)header, (guint)strlen(header));
    g_byte_array_append(archive, (const guint8 *)member->name, (guint)name_bytes);
    pad(archive);
    if (member->length) {
        g_byte_array_append(archive, member->content, (guint)member->length);
        pad(archive);
    }
}

/* A program that names no interpreter needs no other file to run. */
static gboolean is_static(const char *content, gsize length)
{
    Elf64_Ehdr header;

    if (length < sizeof(header) || memcmp(content, ELFMAG, SELFMAG) != 0) {
        return FALSE;
    }
    memcpy(&header, content, sizeof(header));
    for (unsigned int i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        gsize offset = header.e_phoff + i * sizeof(segment);

        if (offset > length || length - offset < sizeof(segment)) {
            return FALSE;
        }
        memcpy(&segment, content + offset, sizeof(segment));
        if (segment.p_type == PT_INTERP) {
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean read_busybox(char **content_out, gsize *length_out, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(busybox_paths); i++) {
        g_autofree char *content = NULL;
        gsize length;

        if (g_file_get_contents(busybox_paths[i], &content, &length, NULL) &&
            is_static(content, length)) {
            *content_out = g_steal_pointer(&content);
            *length_out = length;
            return TRUE;
        }
    }
    g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_UNSUPPORTED,
                "no static busybox at %s for the guest's init: install the package busybox-static",
                busybox_paths[0]);
    return FALSE;
}

gboolean zc_demo_initramfs_write(const char *path, uint64_t fill_mib, GError **error)
{
    g_autofree char *busybox = NULL;
    gsize busybox_bytes;
    g_autoptr(GError) local = NULL;

    if (!read_busybox(&busybox, &busybox_bytes, error)) {
        return FALSE;
    }
    g_autofree char *init = g_strdup_printf(init_script, (guint64)fill_mib, (guint64)fill_mib * 16);
    const struct member members[] = {
        { ".", S_IFDIR | 0755, 0, 0, NULL, 0 },
        { "bin", S_IFDIR | 0755, 0, 0, NULL, 0 },
        { "dev", S_IFDIR | 0755, 0, 0, NULL, 0 },
        { "mem", S_IFDIR | 0755, 0, 0, NULL, 0 },
        { "dev/console", S_IFCHR | 0600, 5, 1, NULL, 0 },
        { "bin/busybox", S_IFREG | 0755, 0, 0, busybox, busybox_bytes },
        { "init", S_IFREG | 0755, 0, 0, init, strlen(init) },
        { "TRAILER!!!", 0, 0, 0, NULL, 0 },
    };
    g_autoptr(GByteArray) archive = g_byte_array_new();
    for (guint32 i = 0; i < G_N_ELEMENTS(members); i++) {
        add(archive, i + 1, &members[i]);
    }
    if (!g_file_set_contents(path, (const char *)archive->data, archive->len, &local)) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_OUTPUT, "the guest's initramfs: %s",
                    local->message);
        return FALSE;
    }
    return TRUE;
}
