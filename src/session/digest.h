/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The manifest of a source that stands still: an image, or a guest that was
 * paused for good.  Digesting is bound by memory, so threads share it.
 */
#ifndef ZC_SESSION_DIGEST_H
#define ZC_SESSION_DIGEST_H

#include "guest/guest.h"
#include "mem/manifest.h"

#define ZC_DIGEST_THREADS_MAX 64u

/* As many threads as there are CPUs, within the limit. */
unsigned int zc_digest_threads(void);

/* Digests every page of @source with @threads threads, the caller's among them.  NULL: @error. */
struct zc_manifest *zc_digest_source(struct zc_source *source, unsigned int threads,
                                     GError **error);

/* The same of RAM that stands still and cannot shrink.  NULL: @error. */
struct zc_manifest *zc_digest_ram(const struct zc_ram *ram, unsigned int threads, GError **error);

#endif
