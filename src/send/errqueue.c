/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h>

#include "send/errqueue.h"

/* Linux 6.7; newer than the headers of Debian 12 */
#ifndef SOL_VSOCK
#define SOL_VSOCK 287
#endif
#ifndef VSOCK_RECVERR
#define VSOCK_RECVERR 1
#endif

/* 16 bytes of error, up to 28 of address, and room for a timestamp or two before it. */
#define CONTROL_BYTES 512

static bool is_extended_error(const struct cmsghdr *cmsg)
{
    return (cmsg->cmsg_level == SOL_IP && cmsg->cmsg_type == IP_RECVERR) ||
           (cmsg->cmsg_level == SOL_IPV6 && cmsg->cmsg_type == IPV6_RECVERR) ||
           (cmsg->cmsg_level == SOL_VSOCK && cmsg->cmsg_type == VSOCK_RECVERR);
}

int zc_errqueue_parse(struct msghdr *msg, struct zc_note *note_out)
{
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
        struct sock_extended_err error;
        size_t offset = (size_t)(CMSG_DATA(cmsg) - (unsigned char *)msg->msg_control);

        if (!is_extended_error(cmsg)) {
            continue;
        }
        if (cmsg->cmsg_len < CMSG_LEN(sizeof(error)) ||
            offset + sizeof(error) > msg->msg_controllen) {
            return -EPROTO;
        }
        memcpy(&error, CMSG_DATA(cmsg), sizeof(error));
        if (error.ee_origin != SO_EE_ORIGIN_ZEROCOPY) {
            return 0;
        }
        *note_out = (struct zc_note){
            .lo = error.ee_info,
            .hi = error.ee_data,
            .copied = error.ee_code & SO_EE_CODE_ZEROCOPY_COPIED,
        };
        return 1;
    }
    return msg->msg_flags & MSG_CTRUNC ? -EPROTO : 0;
}

int zc_errqueue_read(const struct zc_net *net, int fd, struct zc_note *note_out)
{
    union {
        struct cmsghdr align;
        unsigned char bytes[CONTROL_BYTES];
    } control;
    struct msghdr msg = {
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    ssize_t ret = net->ops->recvmsg(net->ctx, fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT);

    return ret < 0 ? (int)ret : zc_errqueue_parse(&msg, note_out);
}
