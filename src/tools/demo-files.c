/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include <zcmig/error.h>

#include "base/size.h"
#include "tools/demo-files.h"

#define SHM_DIRECTORY "/dev/shm"

static uint64_t free_bytes(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) < 0 ? 0 : (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
}

static gboolean is_writable_tmpfs(const char *path)
{
    struct statfs fs;

    return statfs(path, &fs) == 0 && fs.f_type == TMPFS_MAGIC && access(path, W_OK) == 0;
}

/* What the user chose; else memory, when there is enough; else where temporary files go. */
static const char *choose_parent(uint64_t need_bytes)
{
    const char *chosen = g_getenv("TMPDIR");

    if (chosen && *chosen) {
        return chosen;
    }
    if (is_writable_tmpfs(SHM_DIRECTORY) && free_bytes(SHM_DIRECTORY) >= need_bytes) {
        return SHM_DIRECTORY;
    }
    return g_get_tmp_dir();
}

char *zc_demo_files_make_directory(uint64_t need_bytes, GError **error)
{
    const char *parent = choose_parent(need_bytes);
    const uint64_t available = free_bytes(parent);

    if (available < need_bytes) {
        g_autofree char *need = zc_size_format(need_bytes);
        g_autofree char *have = zc_size_format(available);
        g_set_error(
            error, ZCMIG_ERROR, ZCMIG_ERROR_OUTPUT,
            "the demo needs %s in '%s', which has %s free: free some, set TMPDIR, or choose "
            "a smaller --memory",
            need, parent, have);
        return NULL;
    }
    g_autofree char *path = g_build_filename(parent, "zcmig-demo-XXXXXX", NULL);
    if (!g_mkdtemp(path)) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_OUTPUT, "cannot create a directory in '%s': %s",
                    parent, g_strerror(errno));
        return NULL;
    }
    return g_steal_pointer(&path);
}

void zc_demo_files_remove_directory(const char *directory)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(directory, name, NULL);
        unlink(path);
    }
    rmdir(directory);
}

/* Maps an image; the kind of error that a missing or shortened output gives. */
static GMappedFile *map(const char *path, GError **error)
{
    g_autoptr(GError) local = NULL;
    GMappedFile *file = g_mapped_file_new(path, FALSE, &local);

    if (!file) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_OUTPUT, "cannot compare: %s", local->message);
    }
    return file;
}

gboolean zc_demo_files_compare(const char *first, const char *second, gboolean *same_out,
                               uint64_t *offset_out, GError **error)
{
    g_autoptr(GMappedFile) a = map(first, error);
    g_autoptr(GMappedFile) b = a ? map(second, error) : NULL;

    if (!b) {
        return FALSE;
    }
    size_t length = MIN(g_mapped_file_get_length(a), g_mapped_file_get_length(b));
    const char *a_bytes = g_mapped_file_get_contents(a);
    const char *b_bytes = g_mapped_file_get_contents(b);

    *same_out = g_mapped_file_get_length(a) == g_mapped_file_get_length(b);
    *offset_out = length;
    if (length && memcmp(a_bytes, b_bytes, length) != 0) {
        size_t at = 0;
        while (a_bytes[at] == b_bytes[at]) {
            at++;
        }
        *same_out = FALSE;
        *offset_out = at;
    }
    return TRUE;
}
