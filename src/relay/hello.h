/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a connection is, by its first bytes: pure. */
#ifndef ZC_RELAY_HELLO_H
#define ZC_RELAY_HELLO_H

#include <stddef.h>
#include <stdint.h>

#include "wire/multifd.h"

#define ZC_HELLO_BYTES ZC_MULTIFD_INIT_BYTES /* are enough to know any */

enum zc_hello {
    ZC_HELLO_UNKNOWN, /* too few bytes so far */
    ZC_HELLO_MAIN,    /* "QEVM" */
    ZC_HELLO_CHANNEL, /* a whole init packet of multifd */
    ZC_HELLO_FOREIGN, /* nothing that QEMU or zcmig would say */
};

/*
 * Judges the first @length bytes of a connection, as soon as they can be told apart.
 * *@init_out is set for ZC_HELLO_CHANNEL only.
 */
enum zc_hello zc_hello_classify(const uint8_t *bytes, size_t length,
                                struct zc_multifd_init *init_out);

#endif
