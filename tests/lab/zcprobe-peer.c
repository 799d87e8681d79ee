/* SPDX-License-Identifier: GPL-2.0-or-later */
/* zcprobe's other ends: who receives, and who listens in. */
#include "config.h"

#include <errno.h>
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
#include <sys/prctl.h>
#include <unistd.h>

#include "lab/zcprobe.h"

#define SINK_STALLED_RCVBUF (64 << 10)

/* Reads it to the end, then tells what it was; who does not want to know closes before that. */
static void serve(int fd, int stall_ms)
{
    static uint8_t buffer[1 << 20];
    struct sink_answer answer = { 0 };
    ssize_t got;

    poll(NULL, 0, stall_ms);
    while ((got = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
        answer.bytes += (uint64_t)got;
        for (ssize_t i = 0; stall_ms > 0 && i < got; i++) {
            answer.later_bytes += buffer[i] == SINK_LATER_BYTE;
        }
    }
    if (stall_ms > 0) {
        send(fd, &answer, sizeof(answer), MSG_NOSIGNAL);
    }
    _exit(0);
}

int cmd_sink(char **argv)
{
    const struct sockaddr_in address = address_of("0.0.0.0", argv[0]);
    const int small = SINK_STALLED_RCVBUF;
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    signal(SIGCHLD, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (atoi(argv[1]) > 0) { /* what is acknowledged is not in flight any more */
        setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    }
    if (bind(listener, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, 16) < 0) {
        die("listen");
    }
    printf("SINK port=%s\n", argv[0]);
    fflush(stdout);
    int fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL); /* a peer that vanished says nothing any more */
            close(listener);
            serve(fd, atoi(argv[1]));
        }
        close(fd);
    }
    die("accept");
    return 1;
}

int cmd_tap(char **argv)
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
