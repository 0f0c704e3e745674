/* sealed: rows of the store whose body is sealed, opened and sealed again (gateway/FORMAT.md, "Sealing").
 *
 * Thread: any. Slices of what is opened live in the arena given. */
#ifndef EG_FLOW_SEALED_H
#define EG_FLOW_SEALED_H

#include "model/join.h"
#include "model/person.h"
#include "store/store.h"
#include "trust/vault.h"

/* Opens the body of a person row. */
enum eg_rc eg_person_open(struct eg_vault *v, const struct eg_person_row *row, struct eg_arena *a,
                          struct eg_person *out, struct eg_err *err);
/* Appends the sealed body of p, bound to its id and version. */
enum eg_rc eg_person_seal(struct eg_vault *v, const struct eg_person *p, struct eg_buf *out,
                          struct eg_err *err);

/* Body of table case_file. seqs and digests of a version conflict stand in pairs: digest i was sent in entry
 * seqs[i]. */
struct eg_case_body {
	enum eg_case_kind kind;
	unsigned n_tokens, n_persons, n_digests, n_seqs;
	uint8_t (*tokens)[EG_TOKEN_SIZE]; /* source keys it is about, ascending */
	uint8_t (*persons)[16]; /* persons whose open case it is; after closing, those that were told */
	uint8_t (*digests)[EG_DIGEST_SIZE];
	uint64_t *seqs;
	struct eg_bytes note;
	int decision; /* enum eg_decision_kind; 0: none, or it closed by itself */
	struct eg_bytes decided_by;
};
void eg_case_write(struct eg_buf *b, const struct eg_case_body *c);
enum eg_rc eg_case_read(struct eg_bytes body, struct eg_arena *a, struct eg_case_body *out,
                        struct eg_err *err);
enum eg_rc eg_case_open(struct eg_vault *v, const struct eg_case_row *row, struct eg_arena *a,
                        struct eg_case_body *out, struct eg_err *err);
enum eg_rc eg_case_seal(struct eg_vault *v, const uint8_t id[16], const struct eg_case_body *c,
                        struct eg_buf *out, struct eg_err *err);

#endif
