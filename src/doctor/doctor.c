/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <netdb.h>
#include <string.h>

#include "base/error.h"
#include "doctor/diagnose.h"
#include "net/addr.h"

void zcmig_doctor_options_init(struct zcmig_doctor_options *options)
{
    memset(options, 0, sizeof(*options));
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

/* A bare name or address is as good as a URI here: no port matters. */
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

static bool diagnose_destination(zcmig_diagnosis *diagnosis, const struct zc_facts *facts,
                                 const char *destination, GError **error)
{
    struct zc_addr addr;
    bool ok = true;

    if (!is_uri(destination)) {
        return diagnose_host(diagnosis, facts, destination, destination, error);
    }
    if (!zc_addr_parse(destination, &addr, error)) {
        return false;
    }
    switch (addr.kind) {
    case ZC_ADDR_TCP:
        ok = diagnose_host(diagnosis, facts, destination, addr.host, error);
        break;
    case ZC_ADDR_VSOCK:
        zc_diagnose_family(diagnosis, facts, destination, ZC_FAMILY_VSOCK);
        break;
    case ZC_ADDR_UNIX:
        zc_diagnose_family(diagnosis, facts, destination, ZC_FAMILY_UNIX);
        break;
    case ZC_ADDR_FD:
    case ZC_ADDR_NULL:
        ok = zc_error(
            error, ZCMIG_ERROR_USAGE,
            "destination: got '%s', allowed are a host, tcp:, unix: and vsock:", destination);
        break;
    }
    zc_addr_clear(&addr);
    return ok;
}

zcmig_diagnosis *zcmig_doctor_run(const struct zcmig_doctor_options *options, GError **error)
{
    struct zc_facts facts;
    bool ok;
    g_autoptr(zcmig_diagnosis) diagnosis = zc_diagnosis_new();

    zc_facts_init(&facts);
    facts.bandwidth = options->bandwidth;
    facts.rtt_ns = options->rtt_ns;
    ok = zc_facts_read(&facts, error);
    if (ok && options->destination) {
        ok = diagnose_destination(diagnosis, &facts, options->destination, error);
    } else if (ok) {
        zc_diagnose_devices(diagnosis, &facts);
    }
    zc_facts_clear(&facts);
    return ok ? g_steal_pointer(&diagnosis) : NULL;
}
