/* SPDX-License-Identifier: MIT
 *
 * Interface notations: read, print, generate C. Pure: includes are read through a callback.
 * OMG IDL 4.2 (ISO/IEC 19516), subset in docs/idl.md.
 */
#ifndef KOINE_IDL_H
#define KOINE_IDL_H

#include <koine/error.h>
#include <koine/type.h>

#ifdef __cplusplus
extern "C" {
#endif

struct koine_idl; /* what one file (and its includes) declared */

/* Reads an included file for the reader: heap text in *textp. */
typedef int koine_idl_open(void *arg, char **textp, size_t *lengthp, const char *path,
                           const char *including);

/* Reads `text`. On KOINE_ESYNTAX or KOINE_EDATA *errorsp (may be NULL; free()) holds one line per
 * error: "file:line:column: what was found, what was expected". */
int koine_idl_read(struct koine_idl **idlp, const char *file, const char *text, size_t length,
                   koine_idl_open *open, void *arg, char **errorsp);
/* The same for a file by path; includes are looked for beside it. */
int koine_idl_read_file(struct koine_idl **idlp, const char *path, char **errorsp);
struct koine_idl *koine_idl_free(struct koine_idl *idl);

/* Interfaces declared in the file itself (not in includes), in order. They live as long as `idl`. */
size_t koine_idl_interfaces(const struct koine_idl *idl);
const struct koine_interface *koine_idl_interface(const struct koine_idl *idl, size_t index);
/* By scoped name ("demo::Thermostat") or, with NULL, the only one that no other in the file inherits.
 * KOINE_ENOENT; KOINE_EINVAL with NULL when there are several (*errorsp lists them). */
int koine_idl_choose(const struct koine_interface **interfacep, const struct koine_idl *idl,
                     const char *name, char **errorsp);

/* Canonical IDL text, heap; free(). Documentation is kept as comments. */
int koine_idl_print(char **textp, const struct koine_idl *idl);
int koine_interface_print(char **textp, const struct koine_interface *interface);
/* The same in the RPC language of RFC 5531, for rpcgen. KOINE_EDATA: an interface that has no such form (two
 * operations of one @id, a struct without members). */
int koine_idl_print_x(char **textp, const struct koine_idl *idl);
int koine_interface_print_x(char **textp, const struct koine_interface *interface);
/* One member on one line for people, without its comment and the semicolon: "void set_target(in string
 * room, in double celsius) raises (OutOfRange)". Names of the interface's own module stand alone; an
 * array is "long[3]". KOINE_EINVAL: no such member; KOINE_EDATA: a name with a control character. */
int koine_feature_print(char **textp, const struct koine_interface *interface, uint32_t member);

/* C for `idl`: the header and the source, heap; free(). `stem` names the files ("demo"). */
int koine_idl_generate_c(char **headerp, char **sourcep, const struct koine_idl *idl,
                         const char *stem);

#ifdef __cplusplus
}
#endif
#endif
