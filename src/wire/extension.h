/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What zcmig says to zcmig, on the main stream only, and only after both have
 * found out who they are by means that a stock QEMU answers harmlessly:
 *
 *     source                                  destination
 *     OPEN_RETURN_PATH
 *     PING  ZC_HELLO_PING | version    -->
 *                                      <--    PONG  the same            (any QEMU)
 *                                      <--    PONG  ZC_HELLO_PONG | version   (only zcmig)
 *     PING  1                          -->
 *                                      <--    PONG  1
 *
 * When PONG 1 comes and the other did not, the peer is a stock QEMU.  A stock
 * source never sends ZC_HELLO_PING, so it never sees an extension.
 *
 * A live guest changes hands in two steps.  Until the source said RUN the guest
 * is its own; from then on it is the destination's, unless that refuses (FAIL
 * before SHUT):
 *
 *     device state, description        -->
 *                                      <--    READY
 *     RUN                              -->
 *                                      <--    SHUT 0     the guest runs there
 *
 * By the route memfd the memory itself changes hands, before that:
 *
 *     SESSION, MEMORY + descriptors    -->
 *     RAM START                        -->
 *                                      <--    MAPPED
 *
 * A session that both keep goes on after its connections were cut.  On a new main
 * connection, after the greeting:
 *
 *     RESUME                           -->
 *                                      <--    RESUMED
 *     (channels), RAM START, pages     -->                    runs 0: all from here on again
 *     MANIFEST ...                     -->                    runs 1: what follows RUN
 *     HEARD                            -->                    the end of each kept session
 *
 * Forward, an extension message is a command of number ZC_EXTENSION_COMMAND;
 * backward, a return-path message of type ZC_RETURN_EXTENSION.  Both carry one
 * struct zc_extension, big-endian, its first byte the type.
 */
#ifndef ZC_WIRE_EXTENSION_H
#define ZC_WIRE_EXTENSION_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#define ZC_EXTENSION_COMMAND 0x7a63
#define ZC_EXTENSION_VERSION 1
#define ZC_HELLO_PING UINT32_C(0x7a634900)
#define ZC_HELLO_PONG UINT32_C(0x7a635200)
#define ZC_HELLO_MASK UINT32_C(0xffffff00)
#define ZC_EXTENSION_TEXT_BYTES 512
#define ZC_EXTENSION_DIGESTS_MAX 8000 /* in one message: it fits 65535 bytes */

enum zc_extension_type {
    ZC_EXTENSION_SESSION = 1,  /* forward, before RAM: what is coming */
    ZC_EXTENSION_MANIFEST = 2, /* forward, after the description: digests of consecutive pages */
    ZC_EXTENSION_MANIFEST_END = 3, /* forward: the manifest is whole */
    ZC_EXTENSION_FAIL = 4,         /* either way: this end gives up, and why */
    ZC_EXTENSION_RESULT = 5,       /* backward: what verification found */
    ZC_EXTENSION_READY = 6,        /* backward: the guest could run here; it waits for RUN */
    ZC_EXTENSION_RUN = 7,          /* forward: run it; the source never will again */
    ZC_EXTENSION_OBSERVED = 8,     /* backward: what the guest noticed of its move */
    ZC_EXTENSION_MEMORY = 9,  /* forward, its descriptors with it (SCM_RIGHTS): the RAM itself */
    ZC_EXTENSION_MAPPED = 10, /* backward: what the destination mapped of these */
    ZC_EXTENSION_KEEP = 11, /* either: this end keeps the session for a while without connections */
    ZC_EXTENSION_RESUME = 12,  /* forward, on a new connection: which session goes on */
    ZC_EXTENSION_RESUMED = 13, /* backward: it does, and where its guest is */
    ZC_EXTENSION_HEARD = 14,   /* forward: the source of a kept session knows all it needs */
};

enum zc_verify_mode {
    ZC_VERIFY_OFF = 0,
    ZC_VERIFY_AFTER = 1,
    ZC_VERIFY_BEFORE = 2,
};

/* How the pages travel. */
enum zc_session_route {
    ZC_SESSION_ROUTE_SOCKET = 0, /* behind their packet's header */
    ZC_SESSION_ROUTE_PULL = 1,   /* the destination fetches them from the source's process */
    ZC_SESSION_ROUTE_MEMFD = 2,  /* not at all: the destination maps the source's own memory */
};

#define ZC_EXTENSION_BASES_MAX 1024 /* RAM blocks: as many as a session may have */
#define ZC_EXTENSION_MEMORY_MAX 32  /* RAM blocks by the route memfd: descriptors in one message */

/* Which memory a mapping is of: what the kernel tells of it at both ends. */
struct zc_memory_identity {
    uint64_t device;
    uint64_t inode;
};

struct zc_extension {
    enum zc_extension_type type;
    union {
        struct {
            uint8_t uuid[16];
            uint16_t n_channels;  /* multifd channels that the source has connected */
            uint8_t verify;       /* enum zc_verify_mode */
            uint64_t exact_bytes; /* as in struct zc_source */
            bool live;            /* the RAM of a guest that runs until RUN */
            uint8_t route;        /* enum zc_session_route */
            /* of the route pull: where each RAM block, in their order, lies at the source */
            uint32_t n_bases;
            const uint8_t *bases; /* big-endian u64 each, into the caller's buffer */
        } session;
        struct {
            uint32_t block; /* index in the RAM block list */
            uint64_t first_page;
            uint32_t n_digests;
            const uint8_t *digests; /* big-endian u64 each, into the caller's buffer */
        } manifest;
        struct {
            uint64_t n_pages; /* how many digests were sent in all */
        } manifest_end;
        struct {
            uint8_t code; /* enum zcmig_error_code of the sender of this message */
            char text[ZC_EXTENSION_TEXT_BYTES];
        } fail;
        struct {
            uint64_t n_pages;                   /* compared */
            uint64_t n_wrong;                   /* of them wrong; 0 is success */
            char text[ZC_EXTENSION_TEXT_BYTES]; /* the first wrong run, for people */
        } result;
        struct { /* how long the last steps took at the destination */
            uint64_t barrier_ns;
            uint64_t load_ns;
            uint64_t verify_ns;
        } ready;
        struct {
            uint64_t writes; /* by the guest, in all its life */
            uint64_t gap_ns; /* longest time that a writer of it was stopped; 0: not known */
        } observed;
        struct { /* of MEMORY and MAPPED: of each RAM block, in their order */
            uint32_t n_blocks;
            struct zc_memory_identity blocks[ZC_EXTENSION_MEMORY_MAX];
        } memory;
        struct {
            uint8_t secret[16]; /* forward; backward zeros */
            uint32_t seconds;   /* without connections; 0: not at all */
        } keep;
        struct {
            uint8_t uuid[16];   /* of SESSION */
            uint8_t secret[16]; /* of KEEP */
            uint8_t token[16];  /* that the new channels carry for a UUID */
        } resume;
        struct {
            uint8_t runs;      /* 1: the guest was given away by RUN, and runs here */
            uint64_t ran_ns;   /* for so long */
            uint64_t barriers; /* that the destination has passed in this session */
        } resumed;
    };
};

/* Appends the message's own bytes (not the command around it) to @out; manifest.digests may be
 * NULL, then the caller appends them. */
void zc_extension_put(GByteArray *out, const struct zc_extension *message);

/* Errors: ZCMIG_ERROR_PROTOCOL.  Text comes out NUL-terminated and printable. */
bool zc_extension_decode(const uint8_t *bytes, size_t length, struct zc_extension *message_out,
                         GError **error);

#endif
