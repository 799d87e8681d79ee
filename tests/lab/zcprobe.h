/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of zcprobe share. */
#ifndef LAB_ZCPROBE_H
#define LAB_ZCPROBE_H

#include <netinet/in.h>
#include <stdint.h>

#define SINK_FIRST_BYTE 0xaa
#define SINK_LATER_BYTE 0xbb

/* What a sink that stalls says at the end of a connection; both run on machines of one kind. */
struct sink_answer {
    uint64_t bytes;
    uint64_t later_bytes; /* SINK_LATER_BYTE among them */
};

/* Ends the program with errno's text. */
void die(const char *what) __attribute__((noreturn));
struct sockaddr_in address_of(const char *host, const char *port);

int cmd_sink(char **argv);
int cmd_tap(char **argv);

#endif
