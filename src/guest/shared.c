/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: a descriptor says which file it is of, but not that a mapping is of
 * that file.  The kernel's own list of mappings says so, and it is the same
 * list that decides where a write of the guest goes.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "guest/shared.h"

struct mapping {
    uint64_t start, end, offset;
    char flags[5];
    unsigned int major, minor;
    uint64_t inode;
};

static bool parse(const char *line, struct mapping *out)
{
    return sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64, &out->start,
                  &out->end, out->flags, &out->offset, &out->major, &out->minor, &out->inode) == 7;
}

/* Whether @mapping goes on where @at is, which is @offset bytes into the file of @identity. */
static bool goes_on(const struct mapping *mapping, uint64_t at, uint64_t offset,
                    struct zc_shared_identity *identity)
{
    uint64_t device = makedev(mapping->major, mapping->minor);

    if (offset == 0) {
        *identity = (struct zc_shared_identity){ device, mapping->inode };
    }
    return mapping->start <= at && mapping->flags[3] == 's' && mapping->inode != 0 &&
           mapping->offset + (at - mapping->start) == offset && device == identity->device &&
           mapping->inode == identity->inode;
}

bool zc_shared_identify(const uint8_t *host, uint64_t bytes,
                        struct zc_shared_identity *identity_out, GError **error)
{
    const uint64_t start = (uint64_t)(uintptr_t)host;
    struct zc_shared_identity identity = { 0 };
    struct mapping mapping;
    g_autofree char *text = NULL;
    uint64_t done = 0;

    if (!g_file_get_contents("/proc/self/maps", &text, NULL, error)) {
        g_prefix_error(error, "cannot tell of what RAM is a mapping: ");
        return false;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (unsigned int i = 0; lines[i] && done < bytes; i++) {
        if (!parse(lines[i], &mapping) || mapping.end <= start + done) {
            continue;
        }
        if (!goes_on(&mapping, start + done, done, &identity)) {
            break;
        }
        done = mapping.end - start;
    }
    if (done < bytes) {
        return zc_error(error, ZCMIG_ERROR_SOURCE,
                        "RAM is no shared mapping of one file from its beginning on: it is not "
                        "from 0x%" PRIx64 " on",
                        done);
    }
    *identity_out = identity;
    return true;
}
