/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests against the real kernel: a network namespace of their own, TCP pairs
 * in it, and a peer that reads when it is told to.
 *
 * What fails ends the process: with 1 and a line that says what was got, or
 * with 77 and a line that says what is missing here.
 */
#ifndef ZC_TESTS_NETNS_H
#define ZC_TESTS_NETNS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <glib.h>

#include "send/errqueue.h"

/* Ends the test unless @condition. */
#define netns_check(condition, ...)                              \
    do {                                                         \
        if (!(condition)) {                                      \
            netns_fail(__FILE__, __LINE__, #condition, __VA_ARGS__); \
        }                                                        \
    } while (0)

G_NORETURN void netns_fail(const char *file, int line, const char *condition, const char *format,
                           ...) G_GNUC_PRINTF(4, 5);

/* Exit code 77; 1 when configure's --with-required-tests names @kind ("netns", "kernel"). */
G_NORETURN void netns_skip(const char *kind, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* A new namespace with lo up, in a user namespace too where that is needed; skips without rights. */
void netns_enter(const char *kind);

/*
 * Generic XDP_PASS for fragmented packets on lo: the receive side copies them and releases the
 * sender's pages as not copied, so that TCP on lo completes without COPIED.  Returns a descriptor
 * whose closing takes it off, or -errno (not root, or a kernel before about 6.9).
 */
int netns_attach_xdp(void);

/* A connected TCP pair on @address ("127.0.0.1", "::1", "::ffff:127.0.0.1"); sender non-blocking. */
void netns_tcp_pair(const char *address, int *sender_out, int *receiver_out);

/* Room for @bytes unsent and unread; false without CAP_NET_ADMIN. */
bool netns_force_sndbuf(int fd, int bytes);

/* Becomes a user of its own, whose locked memory nobody else counts towards, with this limit. */
void netns_become_limited_user(uint64_t memlock_bytes);

/* Pages filled with @byte. */
uint8_t *netns_memory(size_t bytes, int byte);

/* Sends with MSG_ZEROCOPY and nothing around it: what send(2) returned, or -errno. */
ssize_t netns_raw_send(int fd, const void *memory, size_t bytes);
void netns_enable_zerocopy(int fd);

/* Waits for the next note: 1, or 0 when none came in @ms. */
int netns_wait_note(int fd, int ms, struct zc_note *note_out);

/* A thread that reads until the end of the stream and counts the bytes equal to @counted. */
struct netns_reader;
struct netns_reader *netns_reader_start(int fd, uint8_t counted);
/* Waits for the end; closes the descriptor. */
void netns_reader_join(struct netns_reader *reader, uint64_t *bytes_out, uint64_t *counted_out);

#endif
