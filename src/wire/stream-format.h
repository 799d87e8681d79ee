/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The numbers of QEMU's main stream that its encoder and its decoder share.
 * Private to wire/ and its tests.  Names as in QEMU: QEMU_VM_*, RAM_SAVE_FLAG_*.
 */
#ifndef ZC_WIRE_STREAM_FORMAT_H
#define ZC_WIRE_STREAM_FORMAT_H

#define ZC_STREAM_MAGIC UINT32_C(0x5145564d) /* "QEVM" */
#define ZC_STREAM_VERSION UINT32_C(3)

/* First byte of an item; 1 to 4 are enum zc_section_type. */
#define ZC_ITEM_EOF 0x00
#define ZC_ITEM_SUBSECTION 0x05
#define ZC_ITEM_DESCRIPTION 0x06
#define ZC_ITEM_CONFIGURATION 0x07
#define ZC_ITEM_COMMAND 0x08
#define ZC_ITEM_FOOTER 0x7e

#define ZC_RAM_SECTION_NAME "ram"
#define ZC_RAM_SECTION_VERSION 4u

/* Low bits of a RAM record's be64; the others are the offset. */
#define ZC_RECORD_ZERO 0x02u
#define ZC_RECORD_MEM_SIZE 0x04u
#define ZC_RECORD_PAGE 0x08u
#define ZC_RECORD_EOS 0x10u
#define ZC_RECORD_CONTINUE 0x20u
#define ZC_RECORD_XBZRLE 0x40u
#define ZC_RECORD_HOOK 0x80u
#define ZC_RECORD_COMPRESS_PAGE 0x100u
#define ZC_RECORD_MULTIFD_FLUSH 0x200u

#endif
