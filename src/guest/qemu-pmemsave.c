/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: QEMU's main loop writes while our caller waits for the answer, so a
 * thread empties the FIFO meanwhile.  QEMU opens it by name, maybe as another
 * user: its directory can be passed but not listed, its name is drawn at
 * random, and others may only write to it.  We hold a writing end ourselves,
 * so that QEMU's coming and going is no end of file.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "guest/qemu-pmemsave.h"
#include "guest/qemu.h"

#define PIPE_BYTES (1 << 20)

struct zc_pmemsave {
    char *directory;
    char *path;
    int read_fd, write_fd;
    int stop_fd; /* readable: no more bytes will come than are there */
};

struct read_job {
    const struct zc_pmemsave *pmemsave;
    uint8_t *buffer;
    size_t bytes;
    size_t done;
};

void zc_pmemsave_free(struct zc_pmemsave *pmemsave)
{
    if (!pmemsave) {
        return;
    }
    zc_fd_clear(&pmemsave->read_fd);
    zc_fd_clear(&pmemsave->write_fd);
    zc_fd_clear(&pmemsave->stop_fd);
    if (pmemsave->path) {
        unlink(pmemsave->path);
    }
    if (pmemsave->directory) {
        rmdir(pmemsave->directory);
    }
    g_free(pmemsave->path);
    g_free(pmemsave->directory);
    g_free(pmemsave);
}

static int open_fifo(struct zc_pmemsave *pmemsave)
{
    char *directory = g_build_filename(g_get_tmp_dir(), "zcmig-XXXXXX", NULL);

    if (!g_mkdtemp_full(directory, 0700)) {
        g_free(directory);
        return errno;
    }
    pmemsave->directory = directory;
    pmemsave->path = g_strdup_printf("%s/%08x%08x", directory, g_random_int(), g_random_int());
    if (mkfifo(pmemsave->path, 0600) < 0 || chmod(pmemsave->path, 0622) < 0 ||
        chmod(directory, 0711) < 0) {
        return errno;
    }
    pmemsave->read_fd = open(pmemsave->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    pmemsave->write_fd = open(pmemsave->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    pmemsave->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pmemsave->read_fd < 0 || pmemsave->write_fd < 0 || pmemsave->stop_fd < 0) {
        return errno;
    }
    fcntl(pmemsave->read_fd, F_SETPIPE_SZ, PIPE_BYTES); /* refused, it is only slower */
    return 0;
}

struct zc_pmemsave *zc_pmemsave_new(GError **error)
{
    struct zc_pmemsave *pmemsave = g_new0(struct zc_pmemsave, 1);

    pmemsave->read_fd = pmemsave->write_fd = pmemsave->stop_fd = -1;
    int code = open_fifo(pmemsave);
    if (code) {
        zc_error_errno(error, ZCMIG_ERROR_OUTPUT, code, "cannot make a FIFO for QEMU in '%s'",
                       g_get_tmp_dir());
        g_clear_pointer(&pmemsave, zc_pmemsave_free);
    }
    return pmemsave;
}

/* Takes bytes until all are there, or it is stopped and the FIFO is empty. */
static gpointer empty_fifo(gpointer data)
{
    struct read_job *job = data;
    struct pollfd fds[] = { { .fd = job->pmemsave->read_fd, .events = POLLIN },
                            { .fd = job->pmemsave->stop_fd, .events = POLLIN } };

    while (job->done < job->bytes) {
        ssize_t n = read(fds[0].fd, job->buffer + job->done, job->bytes - job->done);
        if (n > 0) {
            job->done += (size_t)n;
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR) || fds[1].revents) {
            break;
        } else {
            poll(fds, G_N_ELEMENTS(fds), -1); /* stop_fd ends it */
        }
    }
    return NULL;
}

static void set_stop(const struct zc_pmemsave *pmemsave, bool stop)
{
    uint64_t count = 1;
    ssize_t n = stop ? write(pmemsave->stop_fd, &count, sizeof(count))
                     : read(pmemsave->stop_fd, &count, sizeof(count));

    (void)n; /* an eventfd that is as wanted already */
}

bool zc_pmemsave_read(struct zc_pmemsave *pmemsave, struct zc_qmp *qmp, uint64_t guest_address,
                      uint8_t *buffer, size_t bytes, GError **error)
{
    struct read_job job = { pmemsave, buffer, bytes, 0 };
    JsonObject *arguments = json_object_new();

    json_object_set_int_member(arguments, "val", (gint64)guest_address);
    json_object_set_int_member(arguments, "size", (gint64)bytes);
    json_object_set_string_member(arguments, "filename", pmemsave->path);
    set_stop(pmemsave, false);
    GThread *thread = g_thread_new("zcmig-fifo", empty_fifo, &job);
    bool good = zc_qmp_run(qmp, "pmemsave", arguments, zc_deadline_in(ZC_QEMU_ANSWER_MS), error);
    set_stop(pmemsave, true); /* QEMU has answered: what it wrote is in the FIFO */
    g_thread_join(thread);
    if (good && job.done < bytes) {
        return zc_error(error, ZCMIG_ERROR_SOURCE,
                        "QEMU: pmemsave: got %zu bytes at 0x%" G_GINT64_MODIFIER
                        "x, expected were %zu",
                        job.done, guest_address, bytes);
    }
    return good;
}
