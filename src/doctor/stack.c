/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Design: a stack is known by one function that only that reason calls.  The
 * table is in the order of precedence: a stack may hold several of them, as
 * when a tap listens on a device that belongs to a bridge.
 */
#include "config.h"

#include <stdbool.h>
#include <string.h>

#include "doctor/stack.h"

#define RECEIVED_HERE                                                                              \
    "the packet is received on this host (loopback, veth or the like), and the receive path "      \
    "copies user pages"
#define TO_A_PROCESS "a tun or tap device queues the packet for a process"
#define TO_PORTS "a bridge sends clones to several ports"
#define ENCRYPTED "IPsec encrypts the packet"

static const struct {
    const char *callee;   /* what it must have called directly; "": whatever */
    const char *function; /* a "*" at the end: any function that begins so */
    const char *cause;
    const char *meaning;
} ways[] = {
    { "__pskb_pull_tail", "skb_segment", "tx-checksum-off",
      "the device has no checksum offload: the kernel cuts the packet into segments, and makes "
      "each "
      "linear to compute its checksum" },
    { "", "dev_queue_xmit_nit", "packet-tap",
      "a packet tap gets a clone of each outgoing packet, and the user pages are copied for it; "
      "the "
      "device still sends the pages themselves" },
    { "", "skb_checksum_help", "tx-checksum-off",
      "the device has no checksum offload: the kernel reads every byte, and makes the packet "
      "linear "
      "for it" },
    { "", "tun_net_xmit", "device-kind", TO_A_PROCESS },
    { "", "br_flood", "bridge-flood", TO_PORTS },
    { "", "br_multicast_flood", "bridge-flood", TO_PORTS },
    { "", "tcf_mirred*", "traffic-mirror", "a traffic control rule mirrors the packet" },
    { "", "esp_output*", "ipsec", ENCRYPTED },
    { "", "esp6_output*", "ipsec", ENCRYPTED },
    { "", "nfqnl_*", "netfilter-queue", "netfilter hands the packet to a process" },
    { "", "__netif_receive_skb*", "loopback", RECEIVED_HERE },
    { "", "netif_receive_skb*", "loopback", RECEIVED_HERE },
    { "", "skb_segment", "software-segmentation",
      "the kernel cuts the packet into segments itself; where scatter-gather is off that copies "
      "every byte, and the notes may deny it" },
    { "", "validate_xmit_skb*", "scatter-gather-off",
      "the device cannot take the packet in pieces, so it is made linear" },
};

static void stack_clear(gpointer data)
{
    struct zc_stack *stack = data;

    g_clear_pointer(&stack->functions, g_ptr_array_unref);
}

GArray *zc_stacks_new(void)
{
    GArray *stacks = g_array_new(FALSE, TRUE, sizeof(struct zc_stack));

    g_array_set_clear_func(stacks, stack_clear);
    return stacks;
}

/* "         skb_copy_ubufs+0x0/0x5a0" and "  [<ffff...>] skb_copy_ubufs+0x0/0x5a0" to the name. */
static char *function_of(const char *line)
{
    const char *name = line + strspn(line, " \t");

    if (*name == '[') {
        name = strchr(name, ']');
        if (!name) {
            return NULL;
        }
        name += 1 + strspn(name + 1, " ");
    }
    size_t length = strcspn(name, "+ .\t"); /* "skb_segment.part.0" is skb_segment */
    return length > 0 ? g_strndup(name, length) : NULL;
}

static void begin(struct zc_stack *stack, const char *event, const char *function)
{
    *stack = (struct zc_stack){
        .event = event,
        .functions = g_ptr_array_new_with_free_func(g_free),
    };
    g_ptr_array_add(stack->functions, g_strdup(function));
}

/* What stands above @function is the tracer itself. */
static void add_function(struct zc_stack *stack, const char *function, const char *line)
{
    char *name = function_of(line);

    if (!name) {
        return;
    }
    if (strcmp(name, function) == 0) {
        g_ptr_array_set_size(stack->functions, 1);
        g_free(name);
    } else {
        g_ptr_array_add(stack->functions, name);
    }
}

unsigned int zc_stacks_parse(const char *text, const char *event, const char *function,
                             GArray *stacks)
{
    unsigned int n_stacks = 0;
    struct zc_stack stack = { 0 };
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (char **line = lines; *line; line++) {
        const char *hits = strstr(*line, "hitcount:");
        if (**line == '#') {
            continue;
        }
        if (**line == '{') {
            stack_clear(&stack);
            begin(&stack, event, function);
        } else if (stack.functions && **line == '}' && hits) {
            stack.hits = g_ascii_strtoull(hits + strlen("hitcount:"), NULL, 10);
            g_array_append_val(stacks, stack);
            stack.functions = NULL;
            n_stacks++;
        } else if (stack.functions) {
            add_function(&stack, function, *line);
        }
    }
    stack_clear(&stack);
    return n_stacks;
}

static gint most_frequent_first(gconstpointer a, gconstpointer b)
{
    const struct zc_stack *first = a;
    const struct zc_stack *second = b;

    return first->hits == second->hits ? 0 : first->hits < second->hits ? 1 : -1;
}

void zc_stacks_sort(GArray *stacks)
{
    g_array_sort(stacks, most_frequent_first);
}

uint64_t zc_stacks_count(const char *text, const char *key, unsigned int value)
{
    uint64_t hits = 0;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (char **line = lines; *line; line++) {
        g_autofree char *start = g_strdup_printf("{ %s:", key);
        const char *count = strstr(*line, "hitcount:");
        if (g_str_has_prefix(*line, start) && count &&
            g_ascii_strtoull(*line + strlen(start), NULL, 10) == value) {
            hits += g_ascii_strtoull(count + strlen("hitcount:"), NULL, 10);
        }
    }
    return hits;
}

void zc_traced_clear(struct zc_traced *traced)
{
    g_clear_pointer(&traced->stacks, g_array_unref);
}

static bool is(const char *function, const char *pattern)
{
    size_t length = strlen(pattern);

    return pattern[length - 1] == '*' ? strncmp(function, pattern, length - 1) == 0
                                      : strcmp(function, pattern) == 0;
}

const char *zc_stack_cause(const char *const *functions, const char **meaning_out)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
        for (const char *const *function = functions; *function; function++) {
            bool calls =
                !*ways[i].callee || (function > functions && is(function[-1], ways[i].callee));
            if (calls && is(*function, ways[i].function)) {
                *meaning_out = ways[i].meaning;
                return ways[i].cause;
            }
        }
    }
    *meaning_out = "";
    return "";
}
