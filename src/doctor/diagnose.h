/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs every probe once, and the rules on each path. */
#ifndef ZC_DOCTOR_DIAGNOSE_H
#define ZC_DOCTOR_DIAGNOSE_H

#include <sys/socket.h>

#include <zcmig/doctor.h>

#include "doctor/facts.h"
#include "doctor/stack.h"

/* Reads everything but routes.  Errors: UNSUPPORTED, FAILED. */
bool zc_facts_read(struct zc_facts *facts, GError **error);

zcmig_diagnosis *zc_diagnosis_new(void);

/* Adds the path to @destination.  Errors: CONNECT (no route). */
bool zc_diagnose_address(zcmig_diagnosis *diagnosis, const struct zc_facts *facts, const char *name,
                         const struct sockaddr *destination, GError **error);

/* Adds the path to a destination that no device leads to. */
void zc_diagnose_family(zcmig_diagnosis *diagnosis, const struct zc_facts *facts, const char *name,
                        enum zc_family family);

/* Takes over what a trace saw. */
void zc_diagnose_traced(zcmig_diagnosis *diagnosis, const struct zc_traced *traced);

/* Adds a path for every device that is up. */
void zc_diagnose_devices(zcmig_diagnosis *diagnosis, const struct zc_facts *facts);

#endif
