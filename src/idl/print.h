/* SPDX-License-Identifier: MIT */
#ifndef KN_IDL_PRINT_H
#define KN_IDL_PRINT_H

#include "idl/model.h"

/* Documentation as a comment, each line behind `indent` times four blanks. */
void kn_idl_print_doc(struct kn_buffer *buffer, unsigned indent, struct kn_str doc);
/* An identifier, escaped when it is a word of IDL. */
void kn_idl_print_name(struct kn_buffer *buffer, struct kn_str name);
/* "@onc(program = 1, version = 2) " of notes; nothing without any. */
void kn_idl_print_note(struct kn_buffer *buffer, struct kn_str *annotation, struct kn_str name,
                       struct kn_str value);
void kn_idl_print_notes_end(struct kn_buffer *buffer, struct kn_str annotation);
/* "demo::Room" with each part escaped, "::" before it. */
void kn_idl_print_scoped(struct kn_buffer *buffer, struct kn_str scoped);

#endif
