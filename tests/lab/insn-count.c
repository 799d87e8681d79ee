/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plugin for QEMU's TCG that counts the instructions a guest executes, those of its kernel and
 * those of its processes apart, and writes both counts each time a process executes the mark of
 * tests/lab/mark.h:
 *
 *     -plugin ./libinsncount.so,out=FILE         MARK kernel=N user=N
 *
 * Design: an instruction at an address in the upper half is the kernel's.  Whole translation blocks
 * are added, so an exception in the middle of one counts a few too many.  An instruction with REP
 * counts once per repetition, as TCG executes it: with ERMS (-cpu max) the kernel copies a byte a
 * repetition, and a copy that nobody wanted stands out.
 *
 * Debian has no package with QEMU's header, so the few declarations of plugin interface version 1
 * (docs/devel/tcg-plugins.rst of QEMU) that are needed are made here.  QEMU 9.0 went on to version
 * 2 and refuses this one.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
typedef void (*translated)(qemu_plugin_id_t id, struct qemu_plugin_tb *block);
typedef void (*executed)(unsigned int cpu, void *data);
enum { INLINE_ADD_U64 = 0, CALLBACK_NO_REGISTERS = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, translated callback);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *block, int op, void *counter,
                                              uint64_t amount);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, executed callback,
                                            int flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc,
                               char **argv);

/* One CPU in the guest, so one writer. */
static uint64_t counts[2];
static FILE *out;

static void on_mark(unsigned int cpu, void *data)
{
    (void)cpu;
    (void)data;
    fprintf(out, "MARK kernel=%" PRIu64 " user=%" PRIu64 "\n", counts[1], counts[0]);
    fflush(out);
}

static void on_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    static const uint8_t mark[] = { 0x0f, 0x1f, 0x80, 0x43, 0x5a, 0x00, 0x00 };
    size_t n_insns = qemu_plugin_tb_n_insns(block);
    bool is_kernel = qemu_plugin_tb_vaddr(block) >> 63 != 0;

    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, INLINE_ADD_U64, &counts[is_kernel], n_insns);
    for (size_t i = 0; i < n_insns && !is_kernel; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);
        if (qemu_plugin_insn_size(insn) == sizeof(mark) &&
            memcmp(qemu_plugin_insn_data(insn), mark, sizeof(mark)) == 0) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, CALLBACK_NO_REGISTERS, NULL);
        }
    }
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0 && !out) {
            out = fopen(argv[i] + 4, "we");
        }
    }
    if (!out) {
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translated);
    return 0;
}
