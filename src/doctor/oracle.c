/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: the fresh namespace is made in a forked child, since only a process
 * with one thread may enter a new user namespace.  The program that forks may
 * have many threads, so until it exits the child makes system calls only: the
 * few netlink messages are put together by hand instead of by libnl.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "doctor/oracle.h"

#define PAGE_BYTES 4096
#define DATAGRAM_BYTES 1400 /* one packet: fits the MTU of every sink */
#define NOTE_WAIT_MS 500
#define CHILD_WAIT_MS 3000
#define DISCARD_PORT 9
#define SINK_NAME "zcsink"
#define SINK_ADDRESS 0xc0000201u /* 192.0.2.1/24: for documentation, so nobody's */
#define SINK_NEIGHBOUR 0xc0000202u

struct request {
    struct nlmsghdr header;
    char body[256];
};

static struct zc_oracle no_answer(int saved_errno)
{
    return (struct zc_oracle){ .copied = ZC_UNKNOWN, .saved_errno = saved_errno };
}

/* Reads one zero-copy notification from the error queue. */
static enum zc_answer read_note(int fd)
{
    char control[256];
    struct msghdr msg = { .msg_control = control, .msg_controllen = sizeof(control) };

    while (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0) {
        for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
            struct sock_extended_err note;
            if (cmsg->cmsg_level != SOL_IP || cmsg->cmsg_type != IP_RECVERR) {
                continue;
            }
            memcpy(&note, CMSG_DATA(cmsg), sizeof(note));
            if (note.ee_origin == SO_EE_ORIGIN_ZEROCOPY) {
                return note.ee_code & SO_EE_CODE_ZEROCOPY_COPIED ? ZC_YES : ZC_NO;
            }
        }
        msg.msg_controllen = sizeof(control);
    }
    return ZC_UNKNOWN;
}

static struct zc_oracle send_page(int fd, const struct sockaddr_in *destination, const void *page)
{
    struct zc_oracle oracle = no_answer(ETIMEDOUT);
    struct pollfd wait = { .fd = fd };
    uint32_t memory[SK_MEMINFO_VARS] = { 0 };
    socklen_t length = sizeof(memory);
    zc_deadline deadline = zc_deadline_in(NOTE_WAIT_MS);
    int one = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) < 0 ||
        connect(fd, (const struct sockaddr *)destination, sizeof(*destination)) < 0 ||
        send(fd, page, DATAGRAM_BYTES, MSG_ZEROCOPY) < 0) {
        return no_answer(errno);
    }
    /* The notification is charged until it is read, noted or not. */
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &length) == 0) {
        oracle.note_bytes = memory[SK_MEMINFO_OPTMEM];
    }
    while ((oracle.copied = read_note(fd)) == ZC_UNKNOWN &&
           poll(&wait, 1, zc_deadline_poll_ms(deadline, zc_clock_now_ns())) > 0) {
        if (zc_clock_now_ns() > deadline) {
            break;
        }
    }
    if (oracle.copied != ZC_UNKNOWN) {
        oracle.saved_errno = 0;
    }
    return oracle;
}

struct zc_oracle zc_oracle_send(const struct sockaddr_in *destination)
{
    struct zc_oracle oracle;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (fd < 0 || page == MAP_FAILED) {
        oracle = no_answer(errno);
    } else {
        oracle = send_page(fd, destination, page);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (page != MAP_FAILED) {
        munmap(page, PAGE_BYTES);
    }
    return oracle;
}

static void request_init(struct request *request, uint16_t type, uint16_t flags, const void *head,
                         size_t head_bytes)
{
    memset(request, 0, sizeof(*request));
    request->header.nlmsg_type = type;
    request->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    request->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(head_bytes);
    memcpy(request->body, head, head_bytes);
}

/* Appends an attribute; a zero @bytes begins a nest that reaches to the end of the message. */
static struct rtattr *request_add(struct request *request, uint16_t type, const void *value,
                                  size_t bytes)
{
    struct rtattr *attr = (void *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));

    attr->rta_type = type;
    attr->rta_len = (uint16_t)RTA_LENGTH(bytes);
    if (bytes > 0) {
        memcpy(RTA_DATA(attr), value, bytes);
    }
    request->header.nlmsg_len =
        (uint32_t)(NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(attr->rta_len));
    return attr;
}

/* Returns 0 or -errno. */
static int request_send(int fd, const struct request *request)
{
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        char rest[1024];
    } reply;

    if (send(fd, request, request->header.nlmsg_len, 0) < 0) {
        return -errno;
    }
    ssize_t got = recv(fd, &reply, sizeof(reply), 0);
    if (got < (ssize_t)NLMSG_LENGTH(sizeof(reply.error))) {
        return got < 0 ? -errno : -EPROTO;
    }
    return reply.header.nlmsg_type == NLMSG_ERROR ? reply.error.error : -EPROTO;
}

static int make_sink(int fd, const char *kind)
{
    struct request request;
    const struct ifinfomsg head = { .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

    request_init(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
    request_add(&request, IFLA_IFNAME, SINK_NAME, sizeof(SINK_NAME));
    struct rtattr *nest = request_add(&request, IFLA_LINKINFO, NULL, 0);
    request_add(&request, IFLA_INFO_KIND, kind, strlen(kind) + 1);
    nest->rta_len = (uint16_t)((char *)&request + request.header.nlmsg_len - (char *)nest);
    return request_send(fd, &request);
}

static int give_address(int fd)
{
    struct request request;
    const uint32_t address = htonl(SINK_ADDRESS);
    const struct ifaddrmsg head = {
        .ifa_family = AF_INET,
        .ifa_prefixlen = 24,
        .ifa_index = if_nametoindex(SINK_NAME),
    };

    request_init(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
    request_add(&request, IFA_LOCAL, &address, sizeof(address));
    return request_send(fd, &request);
}

/* In the child. */
static struct zc_oracle try_in_fresh_namespace(void)
{
    const struct sockaddr_in neighbour = {
        .sin_family = AF_INET,
        .sin_port = htons(DISCARD_PORT),
        .sin_addr.s_addr = htonl(SINK_NEIGHBOUR),
    };

    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
        return no_answer(errno);
    }
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) {
        return no_answer(errno);
    }
    int err = make_sink(fd, "ifb");
    if (err == -EOPNOTSUPP) {
        err = make_sink(fd, "dummy");
    }
    if (err == 0) {
        err = give_address(fd);
    }
    return err < 0 ? no_answer(-err) : zc_oracle_send(&neighbour);
}

static struct zc_oracle read_answer(int fd)
{
    struct zc_oracle oracle;
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    int n_ready = poll(&wait, 1, CHILD_WAIT_MS);

    if (n_ready <= 0) {
        return no_answer(n_ready < 0 ? errno : ETIMEDOUT);
    }
    return read(fd, &oracle, sizeof(oracle)) == sizeof(oracle) ? oracle : no_answer(EPIPE);
}

struct zc_oracle zc_oracle_elsewhere(void)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0) {
        return no_answer(errno);
    }
    pid_t pid = fork();
    if (pid == 0) {
        struct zc_oracle oracle = try_in_fresh_namespace();
        _exit(write(fds[1], &oracle, sizeof(oracle)) != sizeof(oracle));
    }
    int saved_errno = errno;
    close(fds[1]);
    struct zc_oracle oracle = pid < 0 ? no_answer(saved_errno) : read_answer(fds[0]);
    close(fds[0]);
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    return oracle;
}
