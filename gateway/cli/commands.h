/* commands: what the table in commands.c runs, one function per verb. */
#ifndef EG_CLI_COMMANDS_H
#define EG_CLI_COMMANDS_H

#include "cli/cli.h"

enum eg_rc agency_add(struct cli *c, struct eg_err *err);
enum eg_rc agency_test(struct cli *c, struct eg_err *err);
enum eg_rc server_certificate(struct cli *c, struct eg_err *err);
enum eg_rc server_key(struct cli *c, struct eg_err *err);
enum eg_rc population_generate(struct cli *c, struct eg_err *err);
enum eg_rc fields(struct cli *c, struct eg_err *err);
enum eg_rc submit(struct cli *c, struct eg_err *err);
enum eg_rc reconcile(struct cli *c, struct eg_err *err);
enum eg_rc rejects_list(struct cli *c, struct eg_err *err);
enum eg_rc rejects_show(struct cli *c, struct eg_err *err);
enum eg_rc rejects_correct(struct cli *c, struct eg_err *err);
enum eg_rc elder_get(struct cli *c, struct eg_err *err);
enum eg_rc life_status_check(struct cli *c, struct eg_err *err);
enum eg_rc subscribe(struct cli *c, struct eg_err *err);
enum eg_rc changes_list(struct cli *c, struct eg_err *err);
enum eg_rc log_search(struct cli *c, struct eg_err *err);
enum eg_rc log_show(struct cli *c, struct eg_err *err);
enum eg_rc log_proof(struct cli *c, struct eg_err *err);
enum eg_rc log_consistency(struct cli *c, struct eg_err *err);
enum eg_rc log_checkpoint(struct cli *c, struct eg_err *err);
enum eg_rc log_verify(struct cli *c, struct eg_err *err);
enum eg_rc log_key(struct cli *c, struct eg_err *err);
enum eg_rc case_list(struct cli *c, struct eg_err *err);
enum eg_rc case_show(struct cli *c, struct eg_err *err);
enum eg_rc case_resolve(struct cli *c, struct eg_err *err);
enum eg_rc status(struct cli *c, struct eg_err *err);
enum eg_rc demo(struct cli *c, struct eg_err *err);
enum eg_rc shell_completion(struct cli *c, struct eg_err *err);

#endif
