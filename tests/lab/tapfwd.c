/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tapfwd MACVTAP_NODE TAP - carries frames between a macvtap's character device and a tap
 *
 * Design: both ends speak with virtio-net headers and take large, unfinished packets (TSO, checksum
 * to be filled in), so a header read here is right for a write there and nothing is looked at.  The
 * one copy of the payload is this process's read(): the sender of a packet that reaches the macvtap
 * has sent it by zero-copy, as with a real NIC.  A frame that the other side will not take is
 * dropped, as a wire would.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define HEADER_BYTES 12         /* struct virtio_net_hdr_mrg_rxbuf */
#define FRAME_BYTES (192 << 10) /* more than the largest GSO packet of 64 KiB */

static void die(const char *what)
{
    fprintf(stderr, "tapfwd: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* @name is NULL for a macvtap, whose node is its name. */
static int open_end(const char *node, const char *name)
{
    struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
    int header_bytes = HEADER_BYTES;
    int fd = open(node, O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (name) {
        snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    }
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 ||
        ioctl(fd, TUNSETVNETHDRSZ, &header_bytes) < 0 ||
        ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) < 0) {
        die(name ? name : node);
    }
    return fd;
}

int main(int argc, char **argv)
{
    static uint8_t frame[FRAME_BYTES];
    struct pollfd ends[2];

    if (argc != 3) {
        fprintf(stderr, "usage: tapfwd MACVTAP_NODE TAP\n");
        return 2;
    }
    ends[0] = (struct pollfd){ .fd = open_end(argv[1], NULL), .events = POLLIN };
    ends[1] = (struct pollfd){ .fd = open_end("/dev/net/tun", argv[2]), .events = POLLIN };
    printf("FORWARDER up\n");
    fflush(stdout);
    while (poll(ends, 2, -1) >= 0 || errno == EINTR) {
        for (int i = 0; i < 2; i++) {
            ssize_t got = ends[i].revents ? read(ends[i].fd, frame, sizeof(frame)) : -1;
            if (got > 0 && write(ends[!i].fd, frame, (size_t)got) < 0 && errno == EBADFD) {
                die("write");
            }
            if (ends[i].revents & (POLLERR | POLLHUP)) {
                return 0; /* a device was deleted: the rig ends */
            }
        }
    }
    die("poll");
}
