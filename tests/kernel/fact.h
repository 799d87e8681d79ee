/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One program a fact that the code relies on: it prints the fact and what this
 * kernel says to it, and fails when the kernel has changed its mind.
 */
#ifndef ZC_TESTS_KERNEL_FACT_H
#define ZC_TESTS_KERNEL_FACT_H

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/netns.h"

#define FACT_MS 10000

/* The last line of a program. */
#define fact(condition, text, ...)             \
    do {                                       \
        printf("fact: %s: ", text);            \
        printf(__VA_ARGS__);                   \
        printf("\n");                          \
        netns_check(condition, "%s", text);    \
    } while (0)

#endif
