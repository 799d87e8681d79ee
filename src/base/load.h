/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who had the CPUs: how much faster we would have been without somebody else on this host.
 */
#ifndef ZC_BASE_LOAD_H
#define ZC_BASE_LOAD_H

#include <stdbool.h>
#include <stdint.h>

/* The CPUs that this process may run on, at one moment. */
struct zc_load {
    int64_t at_ns;
    int64_t idle_ns; /* of all of them together, since boot; to 10 ms a CPU (proc_stat(5)) */
    unsigned int n_cpus; /* 0: /proc/stat does not tell */
};

/* Reads one file, some 50 us: not for the hot path. */
void zc_load_read(struct zc_load *load);

/*
 * The share, 0 to 0.9, of the time from @before to @after that somebody who used @cpu_ns of CPU
 * time took from whoever else wanted to run: what idle CPUs could have given him does not count.
 * 0 when the load is not known.
 */
double zc_load_share(const struct zc_load *before, const struct zc_load *after, int64_t cpu_ns);

#endif
