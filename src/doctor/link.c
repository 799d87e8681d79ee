/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: rtnetlink tells what a device is and what it stands on; the ethtool
 * ioctl tells what it can do.  The old one-word ethtool commands are used: they
 * work on every kernel and without rights, and answer exactly the questions.
 */
#include "config.h"

#include "base/error.h"
#include "doctor/link.h"

#ifdef HAVE_LIBNL_ROUTE

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/macvlan.h>
#include <netlink/route/link/macvtap.h>
#include <netlink/route/route.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BITS_PER_MEGABIT 1000000u

typedef struct nl_sock zc_nl_sock;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(zc_nl_sock, nl_socket_free)

static struct nl_sock *open_route_socket(GError **error)
{
    g_autoptr(zc_nl_sock) sock = nl_socket_alloc();
    int err = sock ? nl_connect(sock, NETLINK_ROUTE) : -NLE_NOMEM;

    if (err < 0) {
        zc_error(error, ZCMIG_ERROR_FAILED, "cannot open a netlink socket: %s", nl_geterror(err));
        return NULL;
    }
    return g_steal_pointer(&sock);
}

static int ethtool(int fd, const char *name, void *command)
{
    struct ifreq request = { 0 };

    g_strlcpy(request.ifr_name, name, sizeof(request.ifr_name));
    request.ifr_data = command;
    return ioctl(fd, SIOCETHTOOL, &request);
}

static enum zc_answer read_feature(int fd, const char *name, uint32_t command)
{
    struct ethtool_value value = { .cmd = command };

    if (ethtool(fd, name, &value) < 0) {
        return ZC_UNKNOWN;
    }
    return value.data ? ZC_YES : ZC_NO;
}

static void read_features(int fd, struct zc_link *link)
{
    struct ethtool_cmd settings = { .cmd = ETHTOOL_GSET };

    link->sg = read_feature(fd, link->name, ETHTOOL_GSG);
    link->tx_csum = read_feature(fd, link->name, ETHTOOL_GTXCSUM);
    link->tso = read_feature(fd, link->name, ETHTOOL_GTSO);
    if (ethtool(fd, link->name, &settings) == 0) {
        /* ethtool_cmd_speed() of the header shifts into the sign. */
        uint32_t speed = (uint32_t)settings.speed_hi << 16 | settings.speed;
        if (speed != 0 && speed != (uint32_t)SPEED_UNKNOWN) {
            link->speed_bytes_s = (uint64_t)speed * (BITS_PER_MEGABIT / 8);
        }
    }
}

static bool is_passthru(struct rtnl_link *object)
{
    return rtnl_link_is_macvtap(object) &&
           rtnl_link_macvtap_get_mode(object) == MACVLAN_MODE_PASSTHRU;
}

static void fill_link(struct rtnl_link *object, struct zc_link *link)
{
    const char *kind = rtnl_link_get_type(object);
    unsigned int flags = rtnl_link_get_flags(object);

    link->ifindex = rtnl_link_get_ifindex(object);
    g_strlcpy(link->name, rtnl_link_get_name(object), sizeof(link->name));
    g_strlcpy(link->kind, kind ? kind : "", sizeof(link->kind));
    link->up = flags & IFF_UP;
    link->loopback = flags & IFF_LOOPBACK;
    link->lower_ifindex = rtnl_link_get_link(object);
    link->lower_elsewhere = rtnl_link_get_link_netnsid(object, &link->lower_nsid) == 0;
    link->passthru = is_passthru(object);
    link->master_ifindex = rtnl_link_get_master(object);
}

bool zc_links_read(GArray *links, GError **error)
{
    struct nl_cache *cache = NULL;
    g_autoptr(zc_nl_sock) sock = open_route_socket(error);

    if (!sock) {
        return false;
    }
    int err = rtnl_link_alloc_cache(sock, AF_UNSPEC, &cache);
    if (err < 0) {
        return zc_error(error, ZCMIG_ERROR_FAILED, "cannot list network devices: %s",
                        nl_geterror(err));
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (struct nl_object *object = nl_cache_get_first(cache); object;
         object = nl_cache_get_next(object)) {
        struct zc_link link = { .sg = ZC_UNKNOWN, .tx_csum = ZC_UNKNOWN, .tso = ZC_UNKNOWN };
        fill_link((struct rtnl_link *)object, &link);
        if (fd >= 0) {
            read_features(fd, &link);
        }
        g_array_append_val(links, link);
    }
    if (fd >= 0) {
        close(fd);
    }
    nl_cache_free(cache);
    return true;
}

static int take_nsid(struct nl_msg *msg, void *data)
{
    int *nsid = data;
    struct nlattr *attr = nlmsg_find_attr(nlmsg_hdr(msg), sizeof(struct rtgenmsg), NETNSA_NSID);

    if (attr) {
        *nsid = nla_get_s32(attr);
    }
    return NL_OK;
}

int zc_link_nsid(int netns_fd)
{
    const struct rtgenmsg head = { .rtgen_family = AF_UNSPEC };
    int nsid = -1;
    g_autoptr(zc_nl_sock) sock = open_route_socket(NULL);
    struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETNSID, 0);

    if (sock && msg && nlmsg_append(msg, (void *)&head, sizeof(head), NLMSG_ALIGNTO) == 0 &&
        nla_put_u32(msg, NETNSA_FD, (uint32_t)netns_fd) == 0) {
        nl_socket_disable_auto_ack(sock);
        nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, take_nsid, &nsid);
        if (nl_send_auto(sock, msg) >= 0) {
            nl_recvmsgs_default(sock);
        }
    }
    nlmsg_free(msg);
    return nsid;
}

/* The address as libnl wants it; a v4-mapped IPv6 address is an IPv4 destination. */
static struct nl_addr *to_nl_addr(const struct sockaddr *destination, char *text, size_t size)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)destination;
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)destination;
    const void *bytes = &in->sin_addr;
    int family = AF_INET;

    if (destination->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        bytes = &in6->sin6_addr.s6_addr[12];
    } else if (destination->sa_family == AF_INET6) {
        bytes = &in6->sin6_addr;
        family = AF_INET6;
    }
    inet_ntop(family, bytes, text, (socklen_t)size);
    return nl_addr_build(family, bytes, family == AF_INET ? 4 : 16);
}

bool zc_route_read(const struct sockaddr *destination, struct zc_route *route_out, GError **error)
{
    struct zc_route found = { 0 };
    struct rtnl_route *route = NULL;
    g_autoptr(zc_nl_sock) sock = open_route_socket(error);

    if (!sock) {
        return false;
    }
    struct nl_addr *address = to_nl_addr(destination, found.address, sizeof(found.address));
    int err = rtnl_route_lookup(sock, address, &route);
    nl_addr_put(address);
    if (err < 0 || !route) {
        return zc_error(error, ZCMIG_ERROR_CONNECT, "no route to %s: %s", found.address,
                        nl_geterror(err));
    }
    found.local = rtnl_route_get_type(route) == RTN_LOCAL;
    if (rtnl_route_get_nnexthops(route) > 0) {
        found.ifindex = rtnl_route_nh_get_ifindex(rtnl_route_nexthop_n(route, 0));
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)destination;
    if (destination->sa_family == AF_INET6 && in6->sin6_scope_id != 0) {
        found.ifindex = (int)in6->sin6_scope_id; /* a link-local address names its device */
    }
    rtnl_route_put(route);
    if (found.ifindex <= 0) {
        return zc_error(error, ZCMIG_ERROR_CONNECT, "no route to %s", found.address);
    }
    *route_out = found;
    return true;
}

#else

static bool no_libnl(GError **error)
{
    return zc_error(error, ZCMIG_ERROR_UNSUPPORTED,
                    "this zcmig was built without libnl-route-3, which the doctor needs to look at "
                    "routes and devices");
}

bool zc_links_read(GArray *links, GError **error)
{
    (void)links;
    return no_libnl(error);
}

int zc_link_nsid(int netns_fd)
{
    (void)netns_fd;
    return -1;
}

bool zc_route_read(const struct sockaddr *destination, struct zc_route *route_out, GError **error)
{
    (void)destination;
    (void)route_out;
    return no_libnl(error);
}

#endif
