/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: every kind of address ends in a list of sockaddrs (one, but for host
 * names), and connecting and listening are one loop over that list each.  The
 * time that is left is shared out over the addresses that are left, so that a
 * host whose IPv6 address swallows packets is still reached by its IPv4 one.
 * The error kept is the last one that says more than "no such family".
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "base/error.h"
#include "net/addr.h"

/* A UNIX listener whose backlog is full gives no event to wait for: ask again so often. */
#define BACKLOG_RETRY_MS 5

#define ADDRESSES_MAX 16

/*
 * What a vsock peer may send ahead, 256 KiB where nobody asks for more: it has to be more than a
 * packet, or calls are cut where the credit ends and what is cut is copied.  Both ends set it, as
 * the kernel takes the smaller one.
 */
#define VSOCK_CREDIT_BYTES (4u << 20)

struct target {
    struct sockaddr_storage address;
    socklen_t length;
};

struct target_list {
    struct target targets[ADDRESSES_MAX];
    unsigned int n;
};

/* ----------------------------------------------------------------- parsing */

static bool parse_number(const char *text, uint64_t max, const char *what, uint32_t *out,
                         GError **error)
{
    guint64 value = 0;

    if (!g_ascii_isdigit(text[0]) || !g_ascii_string_to_unsigned(text, 10, 0, max, &value, NULL)) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "%s: got '%s', allowed are 0 to %" G_GUINT64_FORMAT, what, text, max);
    }
    *out = (uint32_t)value;
    return true;
}

static bool parse_tcp(const char *rest, struct zc_addr *addr, GError **error)
{
    const char *colon = strrchr(rest, ':');

    if (!colon) {
        return zc_error(error, ZCMIG_ERROR_USAGE, "got 'tcp:%s', allowed is tcp:HOST:PORT", rest);
    }
    if (!parse_number(colon + 1, UINT16_MAX, "tcp port", &addr->port, error)) {
        return false;
    }
    g_autofree char *host = g_strndup(rest, (gsize)(colon - rest));
    size_t length = strlen(host);
    if (host[0] == '[') {
        if (length < 3 || strcspn(host + 1, "[]") != length - 2 || host[length - 1] != ']') {
            return zc_error(error, ZCMIG_ERROR_USAGE,
                            "got host '%s', an IPv6 address is written [ADDRESS]", host);
        }
        addr->host = g_strndup(host + 1, length - 2);
        return true;
    }
    if (strpbrk(host, ":[]")) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "got host '%s', an IPv6 address is written in brackets: tcp:[%s]:PORT", host,
                        host);
    }
    addr->host = g_steal_pointer(&host);
    return true;
}

static bool parse_unix(const char *path, struct zc_addr *addr, GError **error)
{
    const size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
    size_t length = strlen(path);

    if (length == 0 || length > max) {
        return zc_error(error, ZCMIG_ERROR_USAGE,
                        "unix socket path: got %zu characters, allowed are 1 to %zu", length, max);
    }
    addr->host = g_strdup(path);
    return true;
}

static bool parse_vsock(const char *rest, struct zc_addr *addr, GError **error)
{
    const char *colon = strchr(rest, ':');

    if (!colon) {
        return zc_error(error, ZCMIG_ERROR_USAGE, "got 'vsock:%s', allowed is vsock:CID:PORT",
                        rest);
    }
    g_autofree char *cid = g_strndup(rest, (gsize)(colon - rest));
    if (strcmp(cid, "host") == 0) {
        addr->cid = VMADDR_CID_HOST;
    } else if (strcmp(cid, "local") == 0) {
        addr->cid = VMADDR_CID_LOCAL;
    } else if (strcmp(cid, "any") == 0) {
        addr->cid = VMADDR_CID_ANY;
    } else if (!parse_number(cid, VMADDR_CID_ANY - 1, "vsock CID (or host, local, any)",
                             &addr->cid, error)) {
        return false;
    }
    return parse_number(colon + 1, VMADDR_PORT_ANY - 1, "vsock port", &addr->port, error);
}

static bool parse_fd(const char *rest, struct zc_addr *addr, GError **error)
{
    uint32_t fd = 0;

    if (!parse_number(rest, INT_MAX, "file descriptor", &fd, error)) {
        return false;
    }
    addr->fd = (int)fd;
    return true;
}

static bool parse_null(const char *rest, struct zc_addr *addr, GError **error)
{
    (void)addr;
    if (rest[0] != '\0') {
        return zc_error(error, ZCMIG_ERROR_USAGE, "got 'null:%s', nothing may follow null:", rest);
    }
    return true;
}

static const struct {
    const char *prefix;
    enum zc_addr_kind kind;
    bool (*parse)(const char *rest, struct zc_addr *addr, GError **error);
} kinds[] = {
    { "tcp:", ZC_ADDR_TCP, parse_tcp },       { "unix:", ZC_ADDR_UNIX, parse_unix },
    { "vsock:", ZC_ADDR_VSOCK, parse_vsock }, { "fd:", ZC_ADDR_FD, parse_fd },
    { "null:", ZC_ADDR_NULL, parse_null },
};

bool zc_addr_parse(const char *uri, struct zc_addr *addr_out, GError **error)
{
    struct zc_addr addr = { .fd = -1 };

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (!g_str_has_prefix(uri, kinds[i].prefix)) {
            continue;
        }
        addr.kind = kinds[i].kind;
        if (!kinds[i].parse(uri + strlen(kinds[i].prefix), &addr, error)) {
            return false;
        }
        *addr_out = addr;
        return true;
    }
    return zc_error(error, ZCMIG_ERROR_USAGE,
                    "got address '%s', allowed are tcp:HOST:PORT, unix:PATH, vsock:CID:PORT, fd:N "
                    "and null:",
                    uri);
}

void zc_addr_clear(struct zc_addr *addr)
{
    g_clear_pointer(&addr->host, g_free);
}

static char *format_tcp(const char *host, uint32_t port)
{
    const bool is_ipv6 = strchr(host, ':') != NULL;

    return g_strdup_printf(is_ipv6 ? "tcp:[%s]:%u" : "tcp:%s:%u", host, port);
}

char *zc_addr_format(const struct zc_addr *addr)
{
    switch (addr->kind) {
    case ZC_ADDR_TCP:
        return format_tcp(addr->host, addr->port);
    case ZC_ADDR_UNIX:
        return g_strdup_printf("unix:%s", addr->host);
    case ZC_ADDR_VSOCK:
        return addr->cid == VMADDR_CID_ANY ? g_strdup_printf("vsock:any:%u", addr->port)
                                           : g_strdup_printf("vsock:%u:%u", addr->cid, addr->port);
    case ZC_ADDR_FD:
        return g_strdup_printf("fd:%d", addr->fd);
    case ZC_ADDR_NULL:
        break;
    }
    return g_strdup("null:");
}

/* ----------------------------------------------------------------- resolving */

static bool resolve_tcp(const struct zc_addr *addr, bool passive, struct target_list *list,
                        GError **error)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0) };
    struct addrinfo *found = NULL;
    char port[8];

    g_snprintf(port, sizeof(port), "%u", addr->port);
    int rc = getaddrinfo(addr->host[0] ? addr->host : NULL, port, &hints, &found);
    if (rc != 0) {
        return zc_error(error, ZCMIG_ERROR_CONNECT, "cannot resolve host '%s': %s", addr->host,
                        rc == EAI_SYSTEM ? g_strerror(errno) : gai_strerror(rc));
    }
    /* Listening on any address: IPv6 first, because that socket takes IPv4 as well. */
    for (int pass = 0; pass < 2; pass++) {
        for (struct addrinfo *ai = found; ai && list->n < ADDRESSES_MAX; ai = ai->ai_next) {
            bool wanted_now = !passive || (ai->ai_family == AF_INET6) == (pass == 0);
            if (wanted_now && ai->ai_addrlen <= sizeof(list->targets[0].address)) {
                memcpy(&list->targets[list->n].address, ai->ai_addr, ai->ai_addrlen);
                list->targets[list->n++].length = ai->ai_addrlen;
            }
        }
        if (!passive) {
            break;
        }
    }
    freeaddrinfo(found);
    return true;
}

static bool resolve(const struct zc_addr *addr, bool passive, struct target_list *list,
                    GError **error)
{
    list->n = 0;
    if (addr->kind == ZC_ADDR_TCP) {
        return resolve_tcp(addr, passive && addr->host[0] == '\0', list, error);
    }
    struct target *target = &list->targets[list->n++];
    memset(target, 0, sizeof(*target));
    if (addr->kind == ZC_ADDR_UNIX) {
        struct sockaddr_un *un = (struct sockaddr_un *)&target->address;
        un->sun_family = AF_UNIX;
        g_strlcpy(un->sun_path, addr->host, sizeof(un->sun_path));
        target->length = sizeof(*un);
    } else {
        struct sockaddr_vm *vm = (struct sockaddr_vm *)&target->address;
        vm->svm_family = AF_VSOCK;
        vm->svm_cid = addr->cid;
        vm->svm_port = passive && addr->port == 0 ? VMADDR_PORT_ANY : addr->port;
        target->length = sizeof(*vm);
    }
    return true;
}

static bool is_no_family(int code)
{
    return code == EAFNOSUPPORT || code == EPROTONOSUPPORT || code == ENODEV;
}

/* Of two reasons the later one, unless it only says that this machine has no such family. */
static int better_reason(int kept, int code)
{
    return kept == 0 || !is_no_family(code) ? code : kept;
}

static bool fail_with_reason(GError **error, const char *verb, const struct zc_addr *addr, int code)
{
    g_autofree char *uri = zc_addr_format(addr);

    if (code == ECANCELED) {
        return zc_error(error, ZCMIG_ERROR_CANCELLED, "cancelled while connecting to '%s'", uri);
    }
    return zc_error_errno(error,
                          code == ETIMEDOUT       ? ZCMIG_ERROR_TIMEOUT
                          : is_no_family(code)    ? ZCMIG_ERROR_UNSUPPORTED
                                                  : ZCMIG_ERROR_CONNECT,
                          code, "cannot %s '%s'", verb, uri);
}

/* Before connect or listen.  A kernel that refuses has a smaller limit, and works all the same. */
static void raise_vsock_credit(int fd)
{
    const uint64_t bytes = VSOCK_CREDIT_BYTES;

    setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, &bytes, sizeof(bytes));
    setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &bytes, sizeof(bytes));
}

/* --------------------------------------------------------------- connecting */

/* Waits for @events of @fd (-1: for nothing but the time): 0, ETIMEDOUT, ECANCELED. */
static int wait_for(int fd, zc_deadline deadline, int wake_fd)
{
    struct pollfd fds[2] = { { .fd = fd, .events = POLLOUT },
                             { .fd = wake_fd, .events = POLLIN } };

    for (;;) {
        int rc = poll(fds, 2, zc_deadline_poll_ms(deadline, zc_clock_now_ns()));
        if (rc < 0 && errno != EINTR) {
            return errno;
        }
        if (rc > 0 && fds[1].revents) {
            return ECANCELED;
        }
        if (rc > 0) {
            return 0;
        }
        if (rc == 0) {
            return ETIMEDOUT;
        }
    }
}

/* One attempt: 0 or a positive errno. */
static int connect_socket(int fd, const struct target *target, zc_deadline deadline, int wake_fd)
{
    int code = 0;
    socklen_t length = sizeof(code);

    for (;;) {
        if (connect(fd, (const struct sockaddr *)&target->address, target->length) == 0) {
            return 0;
        }
        if (errno == EINPROGRESS || errno == EINTR) {
            break;
        }
        if (errno != EAGAIN) {
            return errno;
        }
        zc_deadline retry = MIN(deadline, zc_deadline_in(BACKLOG_RETRY_MS));
        int rc = wait_for(-1, retry, wake_fd);
        if (rc != ETIMEDOUT || zc_clock_now_ns() >= deadline) {
            return rc;
        }
    }
    code = wait_for(fd, deadline, wake_fd);
    if (code != 0) {
        return code;
    }
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length) == 0 ? code : errno;
}

static int connect_target(const struct target *target, zc_deadline deadline, int wake_fd,
                          int *fd_out)
{
    const int family = target->address.ss_family;
    const int one = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return errno;
    }
    if (family == AF_VSOCK) {
        raise_vsock_credit(fd);
    }
    int code = connect_socket(fd, target, deadline, wake_fd);
    if (code == 0 && (family == AF_INET || family == AF_INET6) &&
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0) {
        code = errno;
    }
    if (code != 0) {
        close(fd);
        return code;
    }
    *fd_out = fd;
    return 0;
}

/* fd:N is ours from now on: close-on-exec and non-blocking. */
static int adopt_fd(const struct zc_addr *addr, GError **error)
{
    const int fd = addr->fd;
    int type = 0, listening = 0;
    socklen_t length = sizeof(int);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0) {
        zc_error_errno(error, ZCMIG_ERROR_USAGE, errno, "file descriptor %d is no socket", fd);
        return -1;
    }
    length = sizeof(int);
    if (type != SOCK_STREAM ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0 || listening) {
        zc_error(error, ZCMIG_ERROR_USAGE,
                 "file descriptor %d: got a %s socket, allowed is a connected stream socket", fd,
                 type == SOCK_STREAM ? "listening" : "datagram");
        return -1;
    }
    struct sockaddr_storage peer;
    length = sizeof(peer);
    if (getpeername(fd, (struct sockaddr *)&peer, &length) < 0) {
        zc_error_errno(error, ZCMIG_ERROR_USAGE, errno,
                       "file descriptor %d: allowed is a connected stream socket", fd);
        return -1;
    }
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        zc_error_errno(error, ZCMIG_ERROR_CONNECT, errno, "file descriptor %d", fd);
        return -1;
    }
    return fd;
}

int zc_addr_connect(const struct zc_addr *addr, zc_deadline deadline, int wake_fd, GError **error)
{
    struct target_list list;
    int reason = 0, fd = -1;

    if (addr->kind == ZC_ADDR_FD) {
        return adopt_fd(addr, error);
    }
    if (addr->kind == ZC_ADDR_NULL || (addr->kind == ZC_ADDR_TCP && addr->host[0] == '\0') ||
        (addr->kind != ZC_ADDR_UNIX && addr->port == 0)) {
        g_autofree char *uri = zc_addr_format(addr);
        zc_error(error, ZCMIG_ERROR_USAGE, "'%s' is no address that can be connected to", uri);
        return -1;
    }
    if (!resolve(addr, false, &list, error)) {
        return -1;
    }
    for (unsigned int i = 0; i < list.n; i++) {
        zc_deadline share = deadline;
        if (deadline != ZC_DEADLINE_NEVER) {
            int64_t now_ns = zc_clock_now_ns();
            share = now_ns + (deadline - now_ns) / (list.n - i);
        }
        int code = connect_target(&list.targets[i], share, wake_fd, &fd);
        if (code == 0) {
            return fd;
        }
        reason = better_reason(reason, code);
        if (code == ECANCELED) {
            break;
        }
    }
    fail_with_reason(error, "connect to", addr, reason);
    return -1;
}

/* ---------------------------------------------------------------- listening */

static bool is_wildcard(const struct target *target)
{
    if (target->address.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&target->address;
        return in->sin_addr.s_addr == htonl(INADDR_ANY);
    }
    if (target->address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&target->address;
        return IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) && in6->sin6_addr.s6_addr32[3] == 0);
    }
    return false;
}

/* Removes what a listener that died left behind: 0 when the path is free now, else an errno. */
static int remove_stale_socket(const struct target *target)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&target->address;
    struct stat st;

    if (lstat(un->sun_path, &st) < 0) {
        return errno == ENOENT ? 0 : errno;
    }
    if (!S_ISSOCK(st.st_mode)) {
        return EEXIST;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    int rc = connect(fd, (const struct sockaddr *)un, sizeof(*un));
    int code = rc == 0 ? EADDRINUSE : errno;
    close(fd);
    if (code != ECONNREFUSED) {
        return code == EAGAIN ? EADDRINUSE : code;
    }
    return unlink(un->sun_path) == 0 || errno == ENOENT ? 0 : errno;
}

static int listen_target(const struct target *target, int backlog, int *fd_out)
{
    const int family = target->address.ss_family;
    const int one = 1, zero = 0;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int code = 0;

    if (fd < 0) {
        return errno;
    }
    if (family == AF_INET || family == AF_INET6) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    }
    if (family == AF_INET6 && is_wildcard(target)) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
    }
    if (family == AF_VSOCK) {
        raise_vsock_credit(fd); /* accepted connections have it from here */
    }
    if (family == AF_UNIX) {
        code = remove_stale_socket(target);
    }
    if (code == 0 && (bind(fd, (const struct sockaddr *)&target->address, target->length) < 0 ||
                      listen(fd, backlog) < 0)) {
        code = errno;
    }
    if (code != 0) {
        close(fd);
        return code;
    }
    *fd_out = fd;
    return 0;
}

/* The URI of the socket as it is bound now; NULL when the kernel does not say. */
static char *format_bound(const struct zc_addr *addr, int fd)
{
    struct target bound = { .length = sizeof(bound.address) };
    char host[NI_MAXHOST], port[NI_MAXSERV];

    if (addr->kind == ZC_ADDR_UNIX) {
        return zc_addr_format(addr);
    }
    if (getsockname(fd, (struct sockaddr *)&bound.address, &bound.length) < 0) {
        return NULL;
    }
    if (addr->kind == ZC_ADDR_VSOCK) {
        const struct sockaddr_vm *vm = (const struct sockaddr_vm *)&bound.address;
        struct zc_addr with_port = { .kind = ZC_ADDR_VSOCK, .cid = addr->cid,
                                     .port = vm->svm_port, .fd = -1 };
        return zc_addr_format(&with_port);
    }
    if (getnameinfo((const struct sockaddr *)&bound.address, bound.length, host, sizeof(host), port,
                    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return NULL;
    }
    return format_tcp(host, (uint32_t)g_ascii_strtoull(port, NULL, 10));
}

int zc_addr_listen(const struct zc_addr *addr, int backlog, bool allow_wildcard, char **bound_out,
                   GError **error)
{
    struct target_list list;
    int reason = 0, fd = -1;

    if (addr->kind == ZC_ADDR_NULL || addr->kind == ZC_ADDR_FD) {
        g_autofree char *uri = zc_addr_format(addr);
        zc_error(error, ZCMIG_ERROR_USAGE, "'%s' is no address that can be listened on", uri);
        return -1;
    }
    if (!resolve(addr, true, &list, error)) {
        return -1;
    }
    for (unsigned int i = 0; i < list.n && fd < 0; i++) {
        if (is_wildcard(&list.targets[i]) && !allow_wildcard) {
            zc_error(error, ZCMIG_ERROR_USAGE,
                     "got host '%s', which is every address of this machine: name one address, or "
                     "allow the wildcard explicitly",
                     addr->host);
            return -1;
        }
        reason = better_reason(reason, listen_target(&list.targets[i], backlog, &fd));
    }
    char *bound = fd >= 0 ? format_bound(addr, fd) : NULL;
    if (!bound) {
        fail_with_reason(error, "listen on", addr, fd >= 0 ? errno : reason);
        zc_addr_unlisten(addr, fd);
        return -1;
    }
    *bound_out = bound;
    return fd;
}

void zc_addr_unlisten(const struct zc_addr *addr, int fd)
{
    if (fd < 0) {
        return;
    }
    /* In this order: while we listen nobody else takes the path for a stale one. */
    if (addr->kind == ZC_ADDR_UNIX) {
        unlink(addr->host);
    }
    close(fd);
}
