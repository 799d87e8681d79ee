/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Probe: the limits of the kernel and of this process, and what each socket family takes. */
#ifndef ZC_DOCTOR_LIMIT_H
#define ZC_DOCTOR_LIMIT_H

#include "doctor/facts.h"

void zc_limits_read(struct zc_limits *limits);

/* Sets SO_ZEROCOPY on a real socket; returns 0 or the errno that says why not. */
int zc_family_try(enum zc_family family);

/* Sets up a ring and asks it.  Nothing is sent. */
void zc_uring_read(struct zc_uring *uring);

#endif
