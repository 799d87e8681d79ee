/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A bounded queue of pointers between threads: the only way that work changes
 * hands.  Whoever takes an item out owns it.  Closing wakes all waiters;
 * items put in before still come out, after them takers get -EPIPE.
 */
#ifndef ZC_BASE_MAILBOX_H
#define ZC_BASE_MAILBOX_H

#include <stdbool.h>

#include <glib.h>

#include "base/clock.h"

struct zc_mailbox;

/*
 * @capacity items at most; allocated here, never later.  Who found no item sleeps until there are
 * @refill of them, or its deadline: with more than 1 it is woken less often, and at least so many
 * must come without its doing.
 */
struct zc_mailbox *zc_mailbox_new(unsigned int capacity, unsigned int refill);
void zc_mailbox_free(struct zc_mailbox *mailbox); /* accepts NULL; items left are not freed */

/* Returns 0, -ETIMEDOUT (full until @deadline) or -EPIPE (closed).  @item must not be NULL. */
int zc_mailbox_put(struct zc_mailbox *mailbox, void *item, zc_deadline deadline);

/* Returns 0 with *@item_out, -ETIMEDOUT (empty until @deadline) or -EPIPE (closed and empty). */
int zc_mailbox_get(struct zc_mailbox *mailbox, void **item_out, zc_deadline deadline);

void zc_mailbox_close(struct zc_mailbox *mailbox);

#endif
