/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first arrow: all pages of a source as ranges, holes told apart.  What is
 * known to be zero without reading comes as ranges of its own, so that a
 * sparse image is sent at the speed of its data.
 */
#ifndef ZC_SEND_ITERATE_H
#define ZC_SEND_ITERATE_H

#include "guest/guest.h"

/* Takes one range; returns false to stop. */
typedef bool (*zc_iterate_fn)(const struct zc_range *range, void *data);

/* Calls @fn with ranges of at most @max_pages pages.  False when @fn stopped it. */
bool zc_iterate_all(struct zc_source *source, uint32_t max_pages, zc_iterate_fn fn, void *data);

#endif
