/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xdppass DEVICE - lets a generic XDP program that passes everything sit on a device until killed
 *
 * Design: with BPF_F_XDP_HAS_FRAGS the receive stage copies a packet into pages of its own before
 * the program runs, and then gives the sender's pages back as "not copied".  So on loopback the
 * notes of TCP say zero-copy, although every byte was copied: a rig for the sender's handling of
 * notes, not for its cost.  Two instructions need no compiler and no libbpf.
 */
#include "config.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef BPF_F_XDP_HAS_FRAGS
#define BPF_F_XDP_HAS_FRAGS (1U << 5)
#endif

static int load(void)
{
    const struct bpf_insn program[] = {
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
        { .code = BPF_JMP | BPF_EXIT },
    };
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.prog_type = BPF_PROG_TYPE_XDP;
    attr.expected_attach_type = BPF_XDP;
    attr.insn_cnt = sizeof(program) / sizeof(program[0]);
    attr.insns = (uint64_t)(uintptr_t)program;
    attr.license = (uint64_t)(uintptr_t) "GPL";
    attr.prog_flags = BPF_F_XDP_HAS_FRAGS;
    return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

static int attach(int program_fd, unsigned int ifindex)
{
    union bpf_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.link_create.prog_fd = (uint32_t)program_fd;
    attr.link_create.target_ifindex = ifindex;
    attr.link_create.attach_type = BPF_XDP;
    attr.link_create.flags = XDP_FLAGS_SKB_MODE;
    return (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
}

int main(int argc, char **argv)
{
    unsigned int ifindex = argc == 2 ? if_nametoindex(argv[1]) : 0;

    if (ifindex == 0) {
        fprintf(stderr, "usage: xdppass DEVICE\n");
        return 2;
    }
    int program_fd = load();
    if (program_fd < 0 || attach(program_fd, ifindex) < 0) {
        fprintf(stderr, "xdppass: cannot attach to %s: %s\n", argv[1], strerror(errno));
        return 77;
    }
    printf("XDP up\n");
    fflush(stdout);
    pause();
    return 0;
}
