/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zcprobe - the smallest thing that uses zero-copy, to see what a kernel does with it
 *
 *     zcprobe send ADDRESS PORT copy|zc CHUNK TOTAL [SHAPE...]
 *                                                     sends by TCP and prints what became of it
 *     zcprobe flood ADDRESS PORT CHUNK                zero-copy calls until the kernel refuses one
 *     zcprobe torn ADDRESS PORT copy|zc BYTES         overwrites memory at once after it was sent
 *     zcprobe sink PORT STALL_MS                      takes connections and reads them to the end
 *     zcprobe tap DEVICE|any PROTOCOL [OPTION...]     a packet socket: reject, ignore-outgoing,
 *                                                     netns
 *     zcprobe diagnose ADDRESS                        the doctor's verdict and findings, by line
 *     zcprobe as UID COMMAND [ARGUMENT...]            runs COMMAND as that user
 *     zcprobe count LABEL COMMAND [ARGUMENT...]       runs COMMAND between two marks for
 *                                                     tests/lab/insn-count.c
 *
 * A SHAPE of what is sent: "header" (1344 bytes by a call of their own, without zero-copy, ahead of
 * each chunk), "same-header" (in the chunk's own call), "pages" (an iovec for each 4 KiB), "late"
 * (notes are only read when the kernel refuses a call, and at the end), "small" (pages of 4 KiB;
 * otherwise huge ones, where the kernel has them), "mark" (marks before the first call and after the
 * last note), "cold" (memory of TOTAL bytes, each of them sent once, not 16 MiB over and over),
 * "rate=N" (at most N bytes a second).  "header pages late" are the calls of QEMU.
 *
 * Design: none of the project's own sending code is used here, so that what the
 * lab finds out about a kernel does not depend on what is to be tested on it.
 * Result lines are "key=value" words after an upper-case word, for the cases to grep.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "doctor/diagnose.h"
#include "lab/mark.h"
#include "lab/zcprobe.h"
#include "mem/huge.h"

#define IN_FLIGHT_MAX 16
#define CONNECT_MS 10000
#define NOTES_MS 10000
#define FLOOD_SNDBUF (192 << 20)
#define PAGE_BYTES 4096
#define PAGES_MAX 512           /* a call may have 1024 iovecs */
#define HEADER_BYTES 1344       /* multifd's, with 128 offsets */
#define AHEAD_MS 5
#define MEMORY_BYTES (16 << 20) /* sent over and over; a multiple of huge pages */

struct tally {
    uint64_t calls;
    uint64_t completed;
    uint64_t copied;
    uint64_t refused;
    uint64_t bytes;
};

void die(const char *what)
{
    fprintf(stderr, "zcprobe: %s: %s\n", what, strerror(errno));
    exit(1);
}

struct sockaddr_in address_of(const char *host, const char *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        errno = EINVAL;
        die(host);
    }
    return address;
}

/* The receiver is started at the same time as the guest, so a refusal is tried again. */
static int connect_to(const char *host, const char *port)
{
    const struct sockaddr_in address = address_of(host, port);
    zc_deadline deadline = zc_deadline_in(CONNECT_MS);
    int fd;

    do {
        fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0) {
            die("socket");
        }
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
            return fd;
        }
        close(fd);
        poll(NULL, 0, 50);
    } while (zc_clock_now_ns() < deadline);
    die("connect");
    return -1;
}

static void *fresh_memory(size_t bytes, bool small_pages)
{
    uint8_t *memory = zc_huge_reserve(bytes);

    if (!memory || mprotect(memory, bytes, PROT_READ | PROT_WRITE) < 0) {
        die("memory");
    }
    madvise(memory, bytes, small_pages ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
    for (size_t i = 0; i < bytes; i++) {
        memory[i] = (uint8_t)(i * 2654435761u >> 16);
    }
    return memory;
}

/* Reads every note there is after waiting up to @wait_ms for one. */
static void take_notes(int fd, struct tally *tally, int wait_ms)
{
    char control[256];
    struct pollfd wait = { .fd = fd };
    struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };

    if (wait_ms > 0) {
        poll(&wait, 1, wait_ms);
    }
    while (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0) {
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        struct sock_extended_err note;
        if (cmsg && cmsg->cmsg_level == SOL_IP && cmsg->cmsg_type == IP_RECVERR) {
            memcpy(&note, CMSG_DATA(cmsg), sizeof(note));
            uint32_t n_calls = note.ee_data - note.ee_info + 1;
            tally->completed += n_calls;
            tally->copied += note.ee_code & SO_EE_CODE_ZEROCOPY_COPIED ? n_calls : 0;
        }
        msg.msg_controllen = sizeof(control);
    }
}

static void take_all_notes(int fd, struct tally *tally, uint64_t in_flight)
{
    zc_deadline deadline = zc_deadline_in(NOTES_MS);

    while (tally->calls - tally->completed > in_flight && zc_clock_now_ns() < deadline) {
        take_notes(fd, tally, 200);
    }
}

/* y: none copied, n: all, m: some, ?: not all are noted */
static char verdict(const struct tally *tally)
{
    if (tally->completed < tally->calls) {
        return '?';
    }
    return tally->copied == 0 ? 'y' : tally->copied == tally->completed ? 'n' : 'm';
}

static void ask_for_zerocopy(int fd)
{
    int one = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) < 0) {
        die("SO_ZEROCOPY");
    }
}

struct shape {
    bool zerocopy;
    bool header;
    bool same_header;
    bool pages;
    bool late;
    bool small;
    bool mark;
    bool cold;
    double rate; /* bytes a second; 0: as fast as it goes */
};

static struct shape shape_of(const char *mode, char **words)
{
    struct shape shape = { .zerocopy = strcmp(mode, "zc") == 0 };

    for (; *words; words++) {
        if (sscanf(*words, "rate=%lf", &shape.rate) == 1 && shape.rate > 0) {
            continue;
        }
        bool *field = strcmp(*words, "header") == 0        ? &shape.header
                      : strcmp(*words, "same-header") == 0 ? &shape.same_header
                      : strcmp(*words, "pages") == 0       ? &shape.pages
                      : strcmp(*words, "late") == 0        ? &shape.late
                      : strcmp(*words, "small") == 0       ? &shape.small
                      : strcmp(*words, "mark") == 0        ? &shape.mark
                      : strcmp(*words, "cold") == 0        ? &shape.cold
                                                           : NULL;
        if (!field) {
            errno = EINVAL;
            die(*words);
        }
        *field = true;
    }
    return shape;
}

/* Moves @iovs on by what was sent. */
static void advance(struct msghdr *msg, size_t bytes)
{
    while (bytes > 0) {
        size_t part = MIN(bytes, msg->msg_iov->iov_len);
        msg->msg_iov->iov_base = (uint8_t *)msg->msg_iov->iov_base + part;
        msg->msg_iov->iov_len -= part;
        bytes -= part;
        if (msg->msg_iov->iov_len == 0) {
            msg->msg_iov++;
            msg->msg_iovlen--;
        }
    }
}

/* All of @msg, by as many calls as it takes. */
static void send_message(int fd, struct msghdr *msg, const struct shape *shape, bool zerocopy,
                         struct tally *tally)
{
    while (msg->msg_iovlen > 0) {
        ssize_t sent = sendmsg(fd, msg, zerocopy ? MSG_ZEROCOPY : 0);
        if (sent < 0 && errno == ENOBUFS && zerocopy) {
            tally->refused++;
            take_notes(fd, tally, 1000);
            continue;
        }
        if (sent < 0) {
            die("send");
        }
        advance(msg, (size_t)sent);
        tally->calls += zerocopy;
        if (zerocopy && !shape->late) {
            take_notes(fd, tally, 0);
            take_all_notes(fd, tally, IN_FLIGHT_MAX);
        }
    }
}

static void send_chunk(int fd, uint8_t *memory, size_t bytes, const struct shape *shape,
                       struct tally *tally)
{
    static uint8_t header[HEADER_BYTES];
    struct iovec iovs[PAGES_MAX + 1] = { { header, sizeof(header) } };
    struct msghdr msg = { .msg_iov = iovs, .msg_iovlen = 1 };
    size_t piece = shape->pages ? PAGE_BYTES : bytes;

    if (shape->header) {
        send_message(fd, &msg, shape, false, tally);
    }
    msg = (struct msghdr){ .msg_iov = iovs, .msg_iovlen = shape->same_header };
    for (size_t at = 0; at < bytes; at += piece) {
        iovs[msg.msg_iovlen++] = (struct iovec){ memory + at, MIN(piece, bytes - at) };
    }
    send_message(fd, &msg, shape, shape->zerocopy, tally);
    tally->bytes += bytes;
}

/* Sleeps when the bytes that are sent are ahead of @rate by some milliseconds. */
static void keep_to_rate(double rate, uint64_t bytes, int64_t began_ns)
{
    int64_t ahead_ms =
        (int64_t)((double)bytes / rate * 1e3) - (zc_clock_now_ns() - began_ns) / ZC_NS_PER_MS;

    if (ahead_ms >= AHEAD_MS) {
        poll(NULL, 0, (int)ahead_ms);
    }
}

static int cmd_send(char **argv)
{
    const struct shape shape = shape_of(argv[2], argv + 5);
    size_t chunk = strtoul(argv[3], NULL, 0);
    uint64_t total = strtoull(argv[4], NULL, 0);
    size_t memory_bytes = MAX(chunk, (shape.cold ? total : MEMORY_BYTES) / chunk * chunk);
    struct tally tally = { 0 };
    char byte;

    if (shape.pages && chunk > (size_t)PAGES_MAX * PAGE_BYTES) {
        errno = EINVAL;
        die(argv[3]);
    }
    int fd = connect_to(argv[0], argv[1]);
    uint8_t *memory = fresh_memory(memory_bytes, shape.small);
    if (shape.zerocopy) {
        ask_for_zerocopy(fd);
    }
    int64_t began_ns = zc_clock_now_ns();
    int64_t cpu_ns = zc_clock_thread_cpu_ns();
    if (shape.mark) {
        lab_mark();
    }
    while (tally.bytes < total) {
        send_chunk(fd, memory + tally.bytes % memory_bytes, MIN(chunk, total - tally.bytes), &shape,
                   &tally);
        if (shape.rate > 0) {
            keep_to_rate(shape.rate, tally.bytes, began_ns);
        }
    }
    take_all_notes(fd, &tally, 0);
    shutdown(fd, SHUT_WR);
    if (recv(fd, &byte, 1, 0) != 0) {
        die("the receiver");
    }
    if (shape.mark) {
        lab_mark();
    }
    double mib = (double)tally.bytes / 1048576;
    printf("SENT mode=%s chunk=%zu mib=%.0f calls=%" G_GUINT64_FORMAT " copied=%" G_GUINT64_FORMAT
           " refused=%" G_GUINT64_FORMAT " mib_s=%.0f cpu_ms_per_mib=%.3f zc=%c\n",
           argv[2], chunk, mib, tally.calls, tally.copied, tally.refused,
           mib / ((double)(zc_clock_now_ns() - began_ns) / 1e9),
           (double)(zc_clock_thread_cpu_ns() - cpu_ns) / 1e6 / mib,
           shape.zerocopy ? verdict(&tally) : '-');
    return 0;
}

/*
 * What becomes of bytes that are overwritten at once after the call that sent them: the receiver
 * tells how many of what it got are of the later kind.
 */
static int cmd_torn(char **argv)
{
    bool zerocopy = strcmp(argv[2], "zc") == 0;
    size_t bytes = strtoul(argv[3], NULL, 0);
    int fd = connect_to(argv[0], argv[1]);
    uint8_t *memory = fresh_memory(bytes, false);
    struct sink_answer answer;

    memset(memory, SINK_FIRST_BYTE, bytes);
    if (zerocopy) {
        ask_for_zerocopy(fd);
    }
    int room = (int)MIN(2 * bytes, INT_MAX);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
    ssize_t sent = send(fd, memory, bytes, zerocopy ? MSG_ZEROCOPY : 0);
    memset(memory, SINK_LATER_BYTE, bytes);
    if (sent < 0) {
        die("send");
    }
    shutdown(fd, SHUT_WR);
    if (recv(fd, &answer, sizeof(answer), MSG_WAITALL) != sizeof(answer)) {
        die("the receiver");
    }
    printf("TORN mode=%s bytes=%zd received=%" G_GUINT64_FORMAT " overwritten=%" G_GUINT64_FORMAT
           "\n",
           argv[2], sent, answer.bytes, answer.later_bytes);
    return 0;
}

static int cmd_as(char **argv)
{
    uid_t uid = (uid_t)atoi(argv[0]);

    if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0) {
        die("setresuid");
    }
    execvp(argv[1], argv + 1);
    die(argv[1]);
}

static int cmd_count(char **argv)
{
    int status = 1;

    lab_mark();
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[1], argv + 1);
        die(argv[1]);
    }
    waitpid(pid, &status, 0);
    lab_mark();
    status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    printf("COUNTED label=%s status=%d\n", argv[0], status);
    return status;
}

/* Against a receiver that stalls: what one socket may have in flight, and what happens then. */
static int cmd_flood(char **argv)
{
    size_t chunk = strtoul(argv[2], NULL, 0);
    int size = FLOOD_SNDBUF;
    int fd = connect_to(argv[0], argv[1]);
    uint8_t *memory = fresh_memory(chunk, false);
    struct tally tally = { 0 };
    const char *uid = getenv("ZCPROBE_UID");
    ssize_t sent;

    ask_for_zerocopy(fd);
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0) {
        die("SO_SNDBUFFORCE");
    }
    if (uid && setresuid((uid_t)atoi(uid), (uid_t)atoi(uid), (uid_t)atoi(uid)) < 0) {
        die("setresuid");
    }
    while ((sent = send(fd, memory, chunk, MSG_ZEROCOPY | MSG_DONTWAIT)) > 0) {
        tally.calls++;
        tally.bytes += (uint64_t)sent;
    }
    const char *refusal = strerrorname_np(errno);
    printf("HELD calls=%" G_GUINT64_FORMAT "\n", tally.calls);
    fflush(stdout);
    uint64_t calls = tally.calls;
    take_all_notes(fd, &tally, calls > 0 ? calls - 1 : 0);
    sent = send(fd, memory, chunk, MSG_ZEROCOPY | MSG_DONTWAIT);
    printf("FLOOD chunk=%zu calls=%" G_GUINT64_FORMAT " bytes=%" G_GUINT64_FORMAT
           " errno=%s noted=%" G_GUINT64_FORMAT " then=%s\n",
           chunk, calls, tally.bytes, refusal, tally.completed,
           sent > 0 ? "sent" : strerrorname_np(errno));
    return 0;
}

static void print_finding(const struct zcmig_finding *finding)
{
    printf("FINDING effect=%s cause=%s device=%s", zcmig_effect_name(finding->effect),
           finding->cause, finding->device);
    if (finding->tap) {
        printf(" process=%s pid=%" G_GINT64_FORMAT " own-netns=%d", finding->tap->process,
               finding->tap->pid, finding->tap->own_netns);
    }
    printf(" | %s | %s\n", finding->summary, finding->evidence);
}

static int cmd_diagnose(char **argv)
{
    struct zc_facts facts;
    unsigned int n_paths;
    g_autoptr(GError) error = NULL;
    g_autoptr(zcmig_diagnosis) diagnosis = zc_diagnosis_new();
    const struct sockaddr_in address = address_of(argv[0], "9");

    zc_facts_init(&facts);
    if (!zc_facts_read(&facts, &error) ||
        !zc_diagnose_address(diagnosis, &facts, argv[0], (const struct sockaddr *)&address,
                             &error)) {
        fprintf(stderr, "zcprobe: %s\n", error->message);
        return error->code == ZCMIG_ERROR_UNSUPPORTED ? 77 : 1;
    }
    const struct zcmig_path *path = zcmig_diagnosis_get_paths(diagnosis, &n_paths);
    for (unsigned int i = 0; i < path->n_findings; i++) {
        print_finding(&path->findings[i]);
    }
    printf("VERDICT %s device=%s\n", zcmig_verdict_name(path->verdict), path->device);
    zc_facts_clear(&facts);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int n_arguments;
        int (*run)(char **argv);
    } commands[] = {
        { "send", 5, cmd_send },   { "flood", 3, cmd_flood }, { "torn", 4, cmd_torn },
        { "sink", 2, cmd_sink },   { "tap", 2, cmd_tap },     { "diagnose", 1, cmd_diagnose },
        { "count", 2, cmd_count }, { "as", 2, cmd_as },
    };

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; argc > 1 && i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 >= commands[i].n_arguments) {
            return commands[i].run(argv + 2);
        }
    }
    fprintf(stderr, "usage: zcprobe send|flood|torn|sink|tap|diagnose|count|as ARGUMENT...\n");
    return 2;
}
