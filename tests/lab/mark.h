/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An instruction that does nothing, in a form that no compiler makes, for tests/lab/insn-count.c to
 * see: nopl 0x5a43(%rax), 0f 1f 80 43 5a 00 00.
 */
#ifndef LAB_MARK_H
#define LAB_MARK_H

static inline void lab_mark(void)
{
#ifdef __x86_64__
    __asm__ volatile(".byte 0x0f, 0x1f, 0x80\n\t.long 0x5a43" : : : "memory");
#endif
}

#endif
