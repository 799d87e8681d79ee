/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zcprobe - the smallest thing that uses zero-copy, to see what a kernel does with it
 *
 *     zcprobe send ADDRESS PORT copy|zc CHUNK TOTAL   sends by TCP and prints what became of it
 *     zcprobe flood ADDRESS PORT CHUNK                zero-copy calls until the kernel refuses one
 *     zcprobe sink PORT STALL_MS                      takes connections and reads them to the end
 *     zcprobe tap DEVICE|any PROTOCOL [OPTION...]     a packet socket: reject, ignore-outgoing,
 * netns zcprobe diagnose ADDRESS                        the doctor's verdict and findings, a line
 * each
 *
 * Design: none of the project's own sending code is used here, so that what the
 * lab finds out about a kernel does not depend on what is to be tested on it.
 * Result lines are "key=value" words after an upper-case word, for the cases to grep.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "doctor/diagnose.h"

#define IN_FLIGHT_MAX 16
#define CONNECT_MS 10000
#define NOTES_MS 10000
#define FLOOD_SNDBUF (192 << 20)

struct tally {
    uint64_t calls;
    uint64_t completed;
    uint64_t copied;
    uint64_t refused;
    uint64_t bytes;
};

static void die(const char *what)
{
    fprintf(stderr, "zcprobe: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct sockaddr_in address_of(const char *host, const char *port)
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

static void *fresh_memory(size_t bytes)
{
    uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        die("mmap");
    }
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

static int cmd_send(char **argv)
{
    bool zerocopy = strcmp(argv[2], "zc") == 0;
    size_t chunk = strtoul(argv[3], NULL, 0);
    uint64_t total = strtoull(argv[4], NULL, 0);
    int fd = connect_to(argv[0], argv[1]);
    uint8_t *memory = fresh_memory(chunk);
    struct tally tally = { 0 };
    char byte;

    if (zerocopy) {
        ask_for_zerocopy(fd);
    }
    int64_t began_ns = zc_clock_now_ns();
    int64_t cpu_ns = zc_clock_thread_cpu_ns();
    while (tally.bytes < total) {
        ssize_t sent =
            send(fd, memory, MIN(chunk, total - tally.bytes), zerocopy ? MSG_ZEROCOPY : 0);
        if (sent < 0 && errno == ENOBUFS && zerocopy) {
            tally.refused++;
            take_notes(fd, &tally, 1000);
            continue;
        }
        if (sent < 0) {
            die("send");
        }
        tally.bytes += (uint64_t)sent;
        tally.calls += zerocopy;
        take_notes(fd, &tally, 0);
        take_all_notes(fd, &tally, IN_FLIGHT_MAX);
    }
    take_all_notes(fd, &tally, 0);
    shutdown(fd, SHUT_WR);
    if (recv(fd, &byte, 1, 0) != 0) {
        die("the receiver");
    }
    double mib = (double)tally.bytes / 1048576;
    printf("SENT mode=%s chunk=%zu mib=%.0f calls=%" G_GUINT64_FORMAT " copied=%" G_GUINT64_FORMAT
           " refused=%" G_GUINT64_FORMAT " mib_s=%.0f cpu_ms_per_mib=%.3f zc=%c\n",
           argv[2], chunk, mib, tally.calls, tally.copied, tally.refused,
           mib / ((double)(zc_clock_now_ns() - began_ns) / 1e9),
           (double)(zc_clock_thread_cpu_ns() - cpu_ns) / 1e6 / mib,
           zerocopy ? verdict(&tally) : '-');
    return 0;
}

/* Against a receiver that stalls: what one socket may have in flight, and what happens then. */
static int cmd_flood(char **argv)
{
    size_t chunk = strtoul(argv[2], NULL, 0);
    int size = FLOOD_SNDBUF;
    int fd = connect_to(argv[0], argv[1]);
    uint8_t *memory = fresh_memory(chunk);
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
    uint64_t calls = tally.calls;
    take_all_notes(fd, &tally, calls > 0 ? calls - 1 : 0);
    sent = send(fd, memory, chunk, MSG_ZEROCOPY | MSG_DONTWAIT);
    printf("FLOOD chunk=%zu calls=%" G_GUINT64_FORMAT " bytes=%" G_GUINT64_FORMAT
           " errno=%s noted=%" G_GUINT64_FORMAT " then=%s\n",
           chunk, calls, tally.bytes, refusal, tally.completed,
           sent > 0 ? "sent" : strerrorname_np(errno));
    return 0;
}

static void serve(int fd, int stall_ms)
{
    static char buffer[1 << 20];

    poll(NULL, 0, stall_ms);
    while (recv(fd, buffer, sizeof(buffer), 0) > 0) {
    }
    _exit(0);
}

static int cmd_sink(char **argv)
{
    const struct sockaddr_in address = address_of("0.0.0.0", argv[0]);
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    signal(SIGCHLD, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, 16) < 0) {
        die("listen");
    }
    printf("SINK port=%s\n", argv[0]);
    fflush(stdout);
    int fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        if (fork() == 0) {
            close(listener);
            serve(fd, atoi(argv[1]));
        }
        close(fd);
    }
    die("accept");
    return 1;
}

static int cmd_tap(char **argv)
{
    static struct sock_filter reject = { BPF_RET | BPF_K, 0, 0, 0 };
    const struct sock_fprog program = { .len = 1, .filter = &reject };
    const int one = 1;
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons((uint16_t)strtoul(argv[1], NULL, 0)),
    };

    for (char **option = argv + 2; *option; option++) {
        if (strcmp(*option, "netns") == 0 && unshare(CLONE_NEWNET) < 0) {
            die("unshare");
        }
    }
    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    for (char **option = argv + 2; *option; option++) {
        if (strcmp(*option, "reject") == 0) {
            setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
        } else if (strcmp(*option, "ignore-outgoing") == 0) {
            setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
        }
    }
    address.sll_ifindex = strcmp(argv[0], "any") == 0 ? 0 : (int)if_nametoindex(argv[0]);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        die("packet socket");
    }
    printf("TAP pid=%d\n", getpid());
    fflush(stdout);
    pause();
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
        { "send", 5, cmd_send }, { "flood", 3, cmd_flood },       { "sink", 2, cmd_sink },
        { "tap", 2, cmd_tap },   { "diagnose", 1, cmd_diagnose },
    };

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; argc > 1 && i < G_N_ELEMENTS(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 >= commands[i].n_arguments) {
            return commands[i].run(argv + 2);
        }
    }
    fprintf(stderr, "usage: zcprobe send|flood|sink|tap|diagnose ARGUMENT...\n");
    return 2;
}
