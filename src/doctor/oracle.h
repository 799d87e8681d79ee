/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asking the kernel itself: one zero-copy datagram, and what its notification
 * says.  To a device that throws packets away (ifb, dummy) the answer depends
 * on nothing but packet taps and the device's features.
 */
#ifndef ZC_DOCTOR_ORACLE_H
#define ZC_DOCTOR_ORACLE_H

#include <netinet/in.h>

#include "doctor/facts.h"

/*
 * Sends one page to @destination by UDP with MSG_ZEROCOPY and reads the notification.
 * Blocks: half a second at most, when none comes.  Safe between fork and exec.
 */
struct zc_oracle zc_oracle_send(const struct sockaddr_in *destination);

/*
 * The same in a fresh network namespace that holds nothing but a sink, so that only what acts
 * across namespaces can make the kernel copy.  Works without rights where users may make
 * namespaces; otherwise the answer is unknown, with the errno.
 */
struct zc_oracle zc_oracle_elsewhere(void);

#endif
