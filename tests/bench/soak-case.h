/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One migration of the soak: everything about it is drawn from its seed, also
 * how it is disturbed.
 */
#ifndef ZC_TESTS_SOAK_CASE_H
#define ZC_TESTS_SOAK_CASE_H

#include <stdbool.h>
#include <stdint.h>

#include <zcmig/zcmig.h>

enum soak_way {
    SOAK_TCP,
    SOAK_UNIX,
    SOAK_PULL,
    SOAK_MEMFD,
    SOAK_WAYS,
};

enum soak_fault {
    SOAK_UNDISTURBED,
    SOAK_CANCEL_SOURCE,
    SOAK_CANCEL_DESTINATION,
    SOAK_CUT, /* this and the ones below: over TCP only */
    SOAK_RESET,
    SOAK_CUT_BACK,
    SOAK_STALL,
    SOAK_FAULTS,
};

struct soak_case {
    uint64_t seed;
    uint64_t size_bytes;
    char *source; /* guest:... */
    enum soak_way way;
    enum soak_fault fault;
    uint64_t fault_bytes;   /* when: bytes that crossed */
    int64_t fault_us;       /* when: since the start */
    bool by_command;        /* two processes, one of which is killed or cancelled */
    struct zcmig_send_options send;
    struct zcmig_recv_options recv;
};

struct soak_result {
    const char *outcome; /* "moved", "stayed", "in-doubt": a static text */
    char *wrong;         /* what must not be; NULL: nothing */
};

/* By enum value, as the options of zcmig send have them. */
extern const char *const soak_engine_names[];
extern const char *const soak_verify_names[];
extern const char *const soak_tracker_names[];
extern const char *const soak_zerocopy_names[];

void soak_case_draw(struct soak_case *soak, uint64_t seed);
void soak_case_clear(struct soak_case *soak);

/* Its parameters in a line; the caller frees. */
char *soak_case_format(const struct soak_case *soak);

/* Both ends in threads of this process.  Sockets are made in @dir. */
struct soak_result soak_case_run(const struct soak_case *soak, const char *dir);

/* Both ends as commands, @zcmig. */
struct soak_result soak_case_run_commands(const struct soak_case *soak, const char *dir,
                                          const char *zcmig);

#endif
