/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A multiboot header, a stack, and into C with the boot information. */
	.section .multiboot, "a"
	.align 4
	.set FLAGS, 0x2		/* memory map and command line wanted */
	.long 0x1BADB002, FLAGS, -(0x1BADB002 + FLAGS)

	.text
	.globl _start
_start:
	cli
	mov $stack_end, %esp
	push %ebx
	call guest_main
1:	hlt
	jmp 1b

	.bss
	.align 16
	.skip 8192
stack_end:
	.section .note.GNU-stack, "", @progbits
