/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Design: QEMU inherits one end of two socket pairs, its serial port and its
 * monitor, so nothing has a name that another process could take, and the end
 * of QEMU is an end of stream on both.  The RAM file loses its name as soon as
 * the guest is up; after that nothing of it outlives the two processes.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gio/gio.h>
#include <json-glib/json-glib.h>

#include <zcmig/error.h>

#include "tools/demo-guest.h"
#include "tools/demo-initramfs.h"
#include "tools/lines.h"

#define QEMU "qemu-system-x86_64"
#define SERIAL_FD 3
#define MONITOR_FD 4
#define COMMAND_TIMEOUT_US (10 * G_USEC_PER_SEC)
#define QUIT_TIMEOUT_US (5 * G_USEC_PER_SEC)
#define TICK_TIMEOUT_US (15 * G_USEC_PER_SEC)
#define TICKS_TO_PROVE 3u /* some may have been on their way when the guest was paused */
#define FILL_MAX_MIB 96u
#define PAGE_BYTES 4096u
#define COPY_BYTES (1u << 20)

struct zc_demo_guest {
    GSubprocess *qemu;
    struct zc_lines serial;
    struct zc_lines monitor;
    char *ram_path;
    char *initrd_path;
    char *log_path; /* QEMU's stderr */
    uint64_t memory_mib;
    int ram_fd;
    uint64_t last_tick;
};

/* -------------------------------------------------------------- starting */

static void die_with_parent(gpointer data)
{
    (void)data;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* What QEMU said last, for error messages; "" when it said nothing. */
static char *qemu_words(struct zc_demo_guest *guest)
{
    g_autofree char *log = NULL;

    if (!g_file_get_contents(guest->log_path, &log, NULL, NULL)) {
        return g_strdup("");
    }
    g_strstrip(log);
    const char *last = strrchr(log, '\n');
    last = last ? last + 1 : log;
    return *last ? g_strdup_printf(" (QEMU: %s)", last) : g_strdup("");
}

static gboolean fail_with_words(struct zc_demo_guest *guest, GError **error)
{
    if (error && *error && (*error)->code == ZCMIG_ERROR_DISCONNECTED) {
        g_autofree char *words = qemu_words(guest);
        char *text = g_strdup_printf("%s: the guest is gone%s", (*error)->message, words);
        g_free((*error)->message);
        (*error)->message = text;
    }
    return FALSE;
}

static gboolean add_socket(GSubprocessLauncher *launcher, int target_fd, struct zc_lines *lines,
                           int wake_fd, GError **error)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_FAILED, "cannot make a socket pair: %s",
                    g_strerror(errno));
        return FALSE;
    }
    g_subprocess_launcher_take_fd(launcher, pair[1], target_fd);
    zc_lines_init(lines, pair[0], wake_fd);
    return TRUE;
}

static gboolean spawn_qemu(struct zc_demo_guest *guest, const char *qemu, const char *kernel,
                           int wake_fd, GError **error)
{
    g_autoptr(GSubprocessLauncher) launcher =
        g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_SILENCE);
    g_autofree char *memory = g_strdup_printf("%" G_GUINT64_FORMAT "M", guest->memory_mib);
    g_autofree char *backend = g_strdup_printf(
        "memory-backend-file,id=ram,share=on,size=%s,mem-path=%s", memory, guest->ram_path);
    /* clang-format off: one option a line */
    const char *argv[] = {
        qemu,
        "-name", "zcmig-demo",
        "-no-user-config",
        "-nodefaults",
        "-no-reboot",
        "-display", "none",
        "-vga", "none",
        "-accel", "tcg",
        "-cpu", "max",
        "-machine", "pc,memory-backend=ram",
        "-m", memory,
        "-object", backend,
        "-kernel", kernel,
        "-initrd", guest->initrd_path,
        "-append", "console=ttyS0 quiet panic=-1",
        "-chardev", "socket,id=serial,fd=" G_STRINGIFY(SERIAL_FD),
        "-serial", "chardev:serial",
        "-chardev", "socket,id=monitor,fd=" G_STRINGIFY(MONITOR_FD),
        "-mon", "chardev=monitor,mode=control",
        NULL,
    };
    /* clang-format on */

    if (!add_socket(launcher, SERIAL_FD, &guest->serial, wake_fd, error) ||
        !add_socket(launcher, MONITOR_FD, &guest->monitor, wake_fd, error)) {
        return FALSE;
    }
    g_subprocess_launcher_set_stderr_file_path(launcher, guest->log_path);
    g_subprocess_launcher_set_child_setup(launcher, die_with_parent, NULL, NULL);
    guest->qemu = g_subprocess_launcher_spawnv(launcher, argv, error);
    if (!guest->qemu) {
        g_prefix_error(error, "cannot start %s: ", QEMU);
        return FALSE;
    }
    return TRUE;
}

/* --------------------------------------------------------------- monitor */

/* One QMP command; its answer is not looked at beyond success. */
static gboolean command(struct zc_demo_guest *guest, const char *name, int64_t timeout_us,
                        GError **error)
{
    g_autofree char *request = g_strdup_printf("{\"execute\": \"%s\"}\n", name);
    int64_t deadline_us = g_get_monotonic_time() + timeout_us;
    size_t length = strlen(request);

    /* Far below what a socket buffers, so it is written whole or not at all. */
    if (send(guest->monitor.fd, request, length, MSG_NOSIGNAL) != (ssize_t)length) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_DISCONNECTED, "monitor command '%s': %s", name,
                    g_strerror(errno));
        return fail_with_words(guest, error);
    }
    for (;;) {
        g_autofree char *line = zc_lines_next(&guest->monitor, deadline_us, name, error);
        g_autoptr(JsonNode) node = NULL;
        if (!line) {
            return fail_with_words(guest, error);
        }
        node = json_from_string(line, NULL);
        JsonObject *object =
            node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
        if (!object) {
            g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_PROTOCOL,
                        "monitor command '%s': got no JSON object back", name);
            return FALSE;
        }
        if (json_object_has_member(object, "error")) {
            g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_FAILED, "monitor command '%s': %s", name,
                        line);
            return FALSE;
        }
        if (json_object_has_member(object, "return")) {
            return TRUE;
        } /* else the greeting or an event */
    }
}

struct zc_demo_guest *zc_demo_guest_start(const struct zc_demo_guest_options *options,
                                          GError **error)
{
    if (options->memory_mib < ZC_DEMO_MEMORY_MIN_MIB ||
        options->memory_mib > ZC_DEMO_MEMORY_MAX_MIB) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_USAGE,
                    "memory of the demo's guest: got %" G_GUINT64_FORMAT
                    " MiB, allowed %u to %u MiB",
                    options->memory_mib, ZC_DEMO_MEMORY_MIN_MIB, ZC_DEMO_MEMORY_MAX_MIB);
        return NULL;
    }
    g_autofree char *qemu = g_find_program_in_path(QEMU);
    if (!qemu) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_UNSUPPORTED,
                    "no %s here to run a guest with: install the package qemu-system-x86", QEMU);
        return NULL;
    }
    struct zc_demo_guest *guest = g_new0(struct zc_demo_guest, 1);
    guest->memory_mib = options->memory_mib;
    guest->ram_fd = -1;
    guest->ram_path = g_build_filename(options->directory, "guest-ram", NULL);
    guest->initrd_path = g_build_filename(options->directory, "initramfs", NULL);
    guest->log_path = g_build_filename(options->directory, "qemu.log", NULL);
    if (!zc_demo_initramfs_write(guest->initrd_path, MIN(options->memory_mib / 4, FILL_MAX_MIB),
                                 error) ||
        !spawn_qemu(guest, qemu, options->kernel, options->wake_fd, error) ||
        !command(guest, "qmp_capabilities", COMMAND_TIMEOUT_US, error)) {
        zc_demo_guest_free(guest);
        return NULL;
    }
    return guest;
}

/* ---------------------------------------------------------------- serial */

/* The next tick's number; other lines are skipped. */
static gboolean next_tick(struct zc_demo_guest *guest, int64_t deadline_us, uint64_t *tick_out,
                          GError **error)
{
    for (;;) {
        g_autofree char *line =
            zc_lines_next(&guest->serial, deadline_us, "the guest's tick", error);
        const char *end;
        if (!line) {
            return FALSE;
        }
        if (g_str_has_prefix(line, "TICK ")) {
            *tick_out = g_ascii_strtoull(line + strlen("TICK "), (char **)&end, 10);
            return TRUE;
        }
    }
}

gboolean zc_demo_guest_wait_ready(struct zc_demo_guest *guest, unsigned int timeout_s,
                                  GError **error)
{
    int64_t deadline_us = g_get_monotonic_time() + (int64_t)timeout_s * G_USEC_PER_SEC;

    for (;;) {
        g_autofree char *line =
            zc_lines_next(&guest->serial, deadline_us, "the guest's 'ready'", error);
        if (!line) {
            return fail_with_words(guest, error);
        }
        if (strcmp(line, "ready") == 0) {
            break;
        }
    }
    guest->ram_fd = open(guest->ram_path, O_RDONLY | O_CLOEXEC);
    if (guest->ram_fd < 0) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_SOURCE, "cannot open '%s': %s", guest->ram_path,
                    g_strerror(errno));
        return FALSE;
    }
    unlink(guest->ram_path);
    return TRUE;
}

gboolean zc_demo_guest_prove_alive(struct zc_demo_guest *guest, uint64_t *tick_out, GError **error)
{
    int64_t deadline_us = g_get_monotonic_time() + TICK_TIMEOUT_US;
    uint64_t until = guest->last_tick + TICKS_TO_PROVE;

    while (guest->last_tick < until) {
        uint64_t tick;
        if (!next_tick(guest, deadline_us, &tick, error)) {
            return fail_with_words(guest, error);
        }
        if (guest->last_tick && tick != guest->last_tick + 1) {
            g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_FAILED,
                        "the guest's ticks: got %" G_GUINT64_FORMAT " after %" G_GUINT64_FORMAT,
                        tick, guest->last_tick);
            return FALSE;
        }
        guest->last_tick = tick;
    }
    *tick_out = guest->last_tick;
    return TRUE;
}

/* Takes in the ticks that are there already, so that later ones prove something. */
static void absorb_ticks(struct zc_demo_guest *guest)
{
    uint64_t tick;

    while (next_tick(guest, 0, &tick, NULL)) {
        guest->last_tick = tick;
    }
}

/* ------------------------------------------------------------------ dump */

static gboolean write_all(int fd, const char *bytes, size_t length, off_t offset)
{
    while (length) {
        ssize_t n = pwrite(fd, bytes, length, offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return FALSE;
        }
        bytes += n;
        length -= (size_t)n;
        offset += n;
    }
    return TRUE;
}

/* Writes the runs of pages of @chunk that are not zero. */
static gboolean write_data(int fd, const char *chunk, size_t length, off_t offset,
                           uint64_t *data_bytes)
{
    static const char zero_page[PAGE_BYTES];
    size_t start = 0;

    for (size_t at = 0; at <= length; at += PAGE_BYTES) {
        if (at < length && memcmp(chunk + at, zero_page, PAGE_BYTES) != 0) {
            continue;
        }
        if (at > start && !write_all(fd, chunk + start, at - start, offset + (off_t)start)) {
            return FALSE;
        }
        *data_bytes += at - start;
        start = at + PAGE_BYTES;
    }
    return TRUE;
}

/* Copies @length bytes of @from; what is a hole or zero there is a hole in @to. */
static gboolean copy_sparse(int from, int to, uint64_t length, uint64_t *data_bytes_out)
{
    g_autofree char *chunk = g_malloc(COPY_BYTES);
    uint64_t data_bytes = 0;
    off_t at = 0;

    if (ftruncate(to, (off_t)length) < 0) {
        return FALSE;
    }
    while ((at = lseek(from, at, SEEK_DATA)) >= 0 && (uint64_t)at < length) {
        ssize_t n = pread(from, chunk, MIN(COPY_BYTES, length - (uint64_t)at), at);
        if (n <= 0 || n % PAGE_BYTES || !write_data(to, chunk, (size_t)n, at, &data_bytes)) {
            return FALSE;
        }
        at += n;
    }
    if (at < 0 && errno != ENXIO) {
        return FALSE;
    }
    *data_bytes_out = data_bytes;
    return TRUE;
}

gboolean zc_demo_guest_dump(struct zc_demo_guest *guest, const char *path,
                            struct zc_demo_dump *dump_out, GError **error)
{
    struct zc_demo_dump dump = { .ram_bytes = guest->memory_mib << 20 };
    int64_t paused_us = g_get_monotonic_time();

    if (!command(guest, "stop", COMMAND_TIMEOUT_US, error)) {
        return FALSE;
    }
    absorb_ticks(guest);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    gboolean copied = fd >= 0 && copy_sparse(guest->ram_fd, fd, dump.ram_bytes, &dump.data_bytes);
    int saved_errno = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (!command(guest, "cont", COMMAND_TIMEOUT_US, error)) {
        return FALSE;
    }
    dump.paused_us = g_get_monotonic_time() - paused_us;
    if (!copied) {
        g_set_error(error, ZCMIG_ERROR, ZCMIG_ERROR_OUTPUT,
                    "cannot copy the guest's RAM to '%s': %s", path, g_strerror(saved_errno));
        return FALSE;
    }
    *dump_out = dump;
    return TRUE;
}

/* ---------------------------------------------------------------- ending */

/* Asks QEMU to leave; what does not leave is killed. */
static void stop_qemu(struct zc_demo_guest *guest)
{
    /* The user may have interrupted already; leaving is waited for all the same. */
    guest->monitor.wake_fd = -1;
    if (command(guest, "quit", QUIT_TIMEOUT_US, NULL)) {
        int64_t deadline_us = g_get_monotonic_time() + QUIT_TIMEOUT_US;
        char *line;
        while ((line = zc_lines_next(&guest->monitor, deadline_us, "QEMU's end", NULL))) {
            g_free(line);
        }
    }
    g_subprocess_force_exit(guest->qemu);
    g_subprocess_wait(guest->qemu, NULL, NULL);
    g_object_unref(guest->qemu);
}

void zc_demo_guest_free(struct zc_demo_guest *guest)
{
    if (!guest) {
        return;
    }
    if (guest->qemu) {
        stop_qemu(guest);
    }
    zc_lines_clear(&guest->serial);
    zc_lines_clear(&guest->monitor);
    if (guest->ram_fd >= 0) {
        close(guest->ram_fd);
    }
    unlink(guest->ram_path);
    unlink(guest->initrd_path);
    unlink(guest->log_path);
    g_free(guest->ram_path);
    g_free(guest->initrd_path);
    g_free(guest->log_path);
    g_free(guest);
}
