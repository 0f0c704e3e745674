/* command_verify: `eldergate log verify` and `eldergate log key`: what needs no gateway, only its data
 * directory. */
#include "cli/commands.h"

#include "cli/file.h"
#include "cli/progress.h"
#include "cli/verdict.h"
#include "cli/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NOTE_MAX = 1 << 16 };

struct bar {
	struct cli *c;
	struct progress progress;
	const char *what;
};

static void progress(void *arg, const char *what, uint64_t done, uint64_t total)
{
	struct bar *b = arg;
	if (what != b->what) {
		progress_end(&b->progress);
		progress_begin(&b->progress, b->c, what, total);
		b->what = what;
	}
	progress_at(&b->progress, done, NULL);
}

static void tell(const struct cli *c, const struct verify_result *r)
{
	char root[2 * EG_HASH_SIZE + 1];
	double seconds = (double)r->us / 1e6;
	eg_hex(r->root, EG_HASH_SIZE, root);
	if (c->json) {
		printf("{\"entries\":%" PRIu64 ",\"events\":%" PRIu64
		       ",\"root\":\"%s\",\"checkpoints\":%" PRIu64 ",\"tiles\":%" PRIu64
		       ",\"persons\":%" PRIu64 ",\"claims\":%" PRIu64 ",\"views\":%" PRIu64
		       ",\"source_records\":%" PRIu64 ",\"versions\":%" PRIu64 ",\"cases\":%" PRIu64
		       ",\"open_cases\":%" PRIu64 ",\"rejects\":%" PRIu64 ",\"links\":%" PRIu64
		       ",\"erased_parts\":%" PRIu64 ",\"seconds\":%.3f}\n",
		       r->entries, r->events, root, r->checkpoints, r->tiles, r->persons, r->claims, r->views,
		       r->sources, r->versions, r->cases, r->open_cases, r->rejects, r->links,
		       r->erased_parts, seconds);
		return;
	}
	printf("the log verifies: %" PRIu64 " entries, root %s\n", r->entries, root);
	printf("  %" PRIu64 " checkpoints and %" PRIu64 " full tiles fit, %" PRIu64
	       " sealed parts were erased\n",
	       r->checkpoints, r->tiles, r->erased_parts);
	printf("  %" PRIu64 " persons with %" PRIu64 " events and %" PRIu64 " effective claims; %" PRIu64
	       " views follow from them\n",
	       r->persons, r->events, r->claims, r->views);
	if (r->other_authority)
		printf("  %" PRIu64 " views were made with another authority table and not computed again\n",
		       r->other_authority);
	printf("  %" PRIu64 " source records with %" PRIu64 " versions\n", r->sources, r->versions);
	printf("  %" PRIu64 " cases (%" PRIu64 " open), %" PRIu64 " rejects, %" PRIu64 " reviewed links\n",
	       r->cases, r->open_cases, r->rejects, r->links);
	printf("  %.2f s, %.0f entries/s\n", seconds, seconds > 0 ? (double)r->entries / seconds : 0);
}

enum eg_rc log_verify(struct cli *c, struct eg_err *err)
{
	struct archive a;
	struct bar bar = {.c = c};
	struct verify_result result = {0};
	struct eg_checkpoint kept;
	struct eg_buf note = {0};
	struct verify_options o = {.vkey = cli_option(c, "vkey"), .progress = progress, .arg = &bar};
	const char *checkpoint = cli_option(c, "checkpoint");
	enum eg_rc rc = EG_OK;
	if (checkpoint) {
		rc = file_read(checkpoint, NOTE_MAX, &note, err);
		if (!rc)
			rc = verdict_checkpoint(eg_buf_bytes(&note), o.vkey, &kept, err);
		o.kept = &kept;
	}
	eg_buf_free(&note);
	if (!rc)
		rc = archive_open(&a, cli_option(c, "data"), cli_option(c, "root-key"), err);
	if (rc)
		return rc;
	rc = verify_archive(&a, &o, &result, err);
	progress_end(&bar.progress);
	archive_close(&a);
	if (!rc)
		tell(c, &result);
	return rc;
}

enum eg_rc log_key(struct cli *c, struct eg_err *err)
{
	struct archive a;
	struct eg_buf out = {0};
	char id[2 * sizeof a.log_id + 1], origin[128];
	uint8_t public_key[32];
	enum eg_rc rc = archive_open(&a, cli_option(c, "data"), cli_option(c, "root-key"), err);
	if (rc)
		return rc;
	eg_hex(a.log_id, sizeof a.log_id, id);
	snprintf(origin, sizeof origin, "eldergate.%s", id);
	eg_vault_public(a.vault, public_key);
	eg_checkpoint_vkey(cli_option(c, "origin") ? cli_option(c, "origin") : origin, public_key, &out);
	printf("%.*s\n", (int)out.len, out.failed ? "" : (const char *)out.p);
	eg_buf_free(&out);
	archive_close(&a);
	return EG_OK;
}
