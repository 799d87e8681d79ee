/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <netdb.h>

#include "base/error.h"
#include "doctor/burst.h"
#include "doctor/diagnose.h"
#include "doctor/trace.h"
#include "net/ops.h"

#define STALL_TIMEOUT_MS 5000
#define TRACE_MS 10000

void zcmig_doctor_options_init(struct zcmig_doctor_options *options)
{
    *options = (struct zcmig_doctor_options){
        .trace_ms = TRACE_MS,
        .stall_timeout_ms = STALL_TIMEOUT_MS,
        .wake_fd = -1,
    };
}

/* A bare name or address is as good as a URI here: only a probe needs a port. */
static bool is_uri(const char *destination)
{
    static const char *const schemes[] = { "tcp:", "unix:", "vsock:", "fd:", "null:" };

    for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++) {
        if (g_str_has_prefix(destination, schemes[i])) {
            return true;
        }
    }
    return false;
}

static bool read_destination(const char *destination, struct zc_addr *addr_out, GError **error)
{
    if (!is_uri(destination)) {
        *addr_out = (struct zc_addr){
            .kind = ZC_ADDR_TCP,
            .host = g_strdup(destination),
            .port = ZC_BURST_DISCARD_PORT,
            .fd = -1,
        };
        return true;
    }
    if (!zc_addr_parse(destination, addr_out, error)) {
        return false;
    }
    if (addr_out->kind == ZC_ADDR_FD || addr_out->kind == ZC_ADDR_NULL) {
        zc_addr_clear(addr_out);
        return zc_error(
            error, ZCMIG_ERROR_USAGE,
            "destination: got '%s', allowed are a host, tcp:, unix: and vsock:", destination);
    }
    return true;
}

/* The first address is the one that a connection would try first. */
static bool diagnose_host(zcmig_diagnosis *diagnosis, const struct zc_facts *facts,
                          const char *name, const char *host, GError **error)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    int err = getaddrinfo(host, NULL, &hints, &found);

    if (err != 0) {
        return zc_error(error, ZCMIG_ERROR_CONNECT, "cannot resolve '%s': %s", host,
                        gai_strerror(err));
    }
    bool ok = zc_diagnose_address(diagnosis, facts, name, found->ai_addr, error);
    freeaddrinfo(found);
    return ok;
}

/* @peer: who a probe was connected to, of family AF_UNSPEC when there was no connection */
static bool diagnose_destination(zcmig_diagnosis *diagnosis, const struct zc_facts *facts,
                                 const char *destination, const struct zc_addr *addr,
                                 const struct sockaddr_storage *peer, GError **error)
{
    switch (addr->kind) {
    case ZC_ADDR_VSOCK:
        zc_diagnose_family(diagnosis, facts, destination, ZC_FAMILY_VSOCK);
        return true;
    case ZC_ADDR_UNIX:
        zc_diagnose_family(diagnosis, facts, destination, ZC_FAMILY_UNIX);
        return true;
    case ZC_ADDR_TCP:
    case ZC_ADDR_FD:
    case ZC_ADDR_NULL:
        break;
    }
    return peer->ss_family == AF_UNSPEC
               ? diagnose_host(diagnosis, facts, destination, addr->host, error)
               : zc_diagnose_address(diagnosis, facts, destination, (const struct sockaddr *)peer,
                                     error);
}

static bool examine_destination(zcmig_diagnosis *diagnosis, struct zc_facts *facts,
                                const struct zcmig_doctor_options *options, GError **error)
{
    struct zc_addr addr;
    struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };

    if (!read_destination(options->destination, &addr, error)) {
        return false;
    }
    bool ok = !(options->probe || options->trace) ||
              zc_burst_send(&addr, options->stall_timeout_ms, options->wake_fd, &facts->burst,
                            &peer, error);
    ok = ok && diagnose_destination(diagnosis, facts, options->destination, &addr, &peer, error);
    zc_addr_clear(&addr);
    return ok;
}

/* Until the time is over. */
static bool watch(const struct zcmig_doctor_options *options, GError **error)
{
    struct pollfd wait = { .fd = options->wake_fd, .events = POLLIN };
    const struct zc_net *net = &zc_net_kernel;
    int n_ready = net->ops->poll(net->ctx, &wait, 1, (int)MIN(options->trace_ms, G_MAXINT));

    return n_ready <= 0 || zc_error(error, ZCMIG_ERROR_CANCELLED, "cancelled during the trace");
}

static bool examine(zcmig_diagnosis *diagnosis, struct zc_facts *facts,
                    const struct zcmig_doctor_options *options, GError **error)
{
    if (options->destination) {
        return examine_destination(diagnosis, facts, options, error);
    }
    if (options->trace && !watch(options, error)) {
        return false;
    }
    zc_diagnose_devices(diagnosis, facts);
    return true;
}

/* The same under a trace, which is gone when this returns, whatever happened. */
static bool examine_traced(zcmig_diagnosis *diagnosis, struct zc_facts *facts,
                           const struct zcmig_doctor_options *options, GError **error)
{
    struct zc_trace *trace = zc_trace_start(error);

    if (!trace) {
        return false;
    }
    bool ok = examine(diagnosis, facts, options, error);
    struct zc_traced traced;
    zc_trace_stop(trace, &traced);
    zc_diagnose_traced(diagnosis, &traced);
    zc_traced_clear(&traced);
    return ok;
}

zcmig_diagnosis *zcmig_doctor_run(const struct zcmig_doctor_options *options, GError **error)
{
    struct zc_facts facts;
    g_autoptr(zcmig_diagnosis) diagnosis = zc_diagnosis_new();

    if (options->probe && !options->destination) {
        zc_error(error, ZCMIG_ERROR_USAGE, "a probe needs a destination");
        return NULL;
    }
    zc_facts_init(&facts);
    facts.bandwidth = options->bandwidth;
    facts.rtt_ns = options->rtt_ns;
    bool ok = zc_facts_read(&facts, error);
    if (ok && options->trace) {
        ok = examine_traced(diagnosis, &facts, options, error);
    } else if (ok) {
        ok = examine(diagnosis, &facts, options, error);
    }
    zc_facts_clear(&facts);
    return ok ? g_steal_pointer(&diagnosis) : NULL;
}
