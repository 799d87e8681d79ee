/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading a mapped file that somebody else may cut short.  A page past the new
 * end raises SIGBUS; a guarded mapping gets a page of zeros there instead, and
 * remembers that it did, so that the reader finishes its batch and then fails
 * with a sentence and not with a signal.
 *
 * The first guard installs a SIGBUS handler for the process; a fault outside
 * of all guarded mappings goes to the handler that was there before.
 */
#ifndef ZC_BASE_SIGBUS_H
#define ZC_BASE_SIGBUS_H

#include <stdbool.h>
#include <stddef.h>

/* Guarded mappings at one time, in the whole process. */
#define ZC_SIGBUS_GUARDS_MAX 64

/*
 * Guards @bytes at @start; pages are replaced @granule_bytes at a time (the page size of the
 * mapping), by zeros with @protection (PROT_READ, ...).  Returns the guard's number, or -1 when
 * there are too many.  Any thread.
 */
int zc_sigbus_guard(void *start, size_t bytes, size_t granule_bytes, int protection);

/* Before the mapping is unmapped. */
void zc_sigbus_unguard(int guard);

/* Whether a page of the mapping was replaced.  Any thread; cheap. */
bool zc_sigbus_was_hit(int guard);

#endif
