/* command_feed: `eldergate subscribe` and `eldergate changes list`: the changes, as they happen or page by
 * page. */
#include "cli/commands.h"

#include "cli/feed_options.h"
#include "cli/follow.h"
#include "cli/show.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define LIST "/eldergate.v1.FeedService/ListChanges"
enum { PAGE = 500 };

struct tail {
	const struct cli *c;
	struct feed_options options;
	struct follow follow;
	struct eg_buf line;
	bool until_live, progress;
	int64_t count, shown; /* of changes and persons; count 0: no end */
};

/* A line tells all that is known of who came into the filter. */
static void print_change(struct tail *t, const Eldergate__V1__FeedItem *item)
{
	Eldergate__V1__ChangeEvent e = *item->change; /* borrows */
	if (item->entered) {
		e.fields = item->entered->fields;
		e.n_fields = item->entered->n_fields;
	}
	show_change(t->c, &t->line, &e);
}

static enum eg_rc print_item(struct tail *t, const Eldergate__V1__FeedItem *item, struct eg_err *err)
{
	bool news = item->item_case == ELDERGATE__V1__FEED_ITEM__ITEM_CHANGE ||
	            item->item_case == ELDERGATE__V1__FEED_ITEM__ITEM_SNAPSHOT;
	char time[SHOW_TIME_SIZE];
	t->shown += news;
	if (item->item_case == ELDERGATE__V1__FEED_ITEM__ITEM_PROGRESS && !t->progress)
		return EG_OK;
	if (t->c->json)
		return cli_json(&item->base, err);
	switch (item->item_case) {
	case ELDERGATE__V1__FEED_ITEM__ITEM_CHANGE:
		print_change(t, item);
		break;
	case ELDERGATE__V1__FEED_ITEM__ITEM_SNAPSHOT:
		show_state(t->c, &t->line, item->snapshot);
		break;
	case ELDERGATE__V1__FEED_ITEM__ITEM_PROGRESS:
		eg_buf_printf(&t->line, "%s  #%" PRIu64 "  (head%s)",
		              show_time(t->c, item->progress->head_time, time), item->progress->head_seq,
		              item->progress->live ? ", live" : "");
		break;
	case ELDERGATE__V1__FEED_ITEM__ITEM_LOG_CHANGED:
		eg_buf_printf(&t->line,
		              "the log was restored: %s is now %s; a snapshot follows, forget what you have",
		              item->log_changed->old_log_id, item->log_changed->new_log_id);
		break;
	default:
		return EG_OK; /* from a newer gateway */
	}
	show_line(&t->line);
	return EG_OK;
}

/* A reader that has left shows by a failed write, so, while there is nothing to print, never; the gateway's
 * word of progress every few seconds is when to look. */
static enum eg_rc put_out(struct eg_err *err)
{
	struct pollfd out = {STDOUT_FILENO, 0, 0};
	int failed = fflush(stdout);
	if (!failed && poll(&out, 1, 0) == 1 && out.revents & POLLERR) {
		errno = EPIPE;
		failed = EOF;
	}
	return failed ? eg_fail_errno(err, "standard output") : EG_OK;
}

/* What is printed is flushed before the cursor is kept: a crash repeats a window, and never loses one. */
static enum eg_rc window(void *arg, const Eldergate__V1__SubscribeResponse *w, struct eg_err *err)
{
	struct tail *t = arg;
	bool live = false;
	enum eg_rc rc = EG_OK;
	for (size_t i = 0; i < w->n_items && !rc; i++) {
		rc = print_item(t, w->items[i], err);
		live |= w->items[i]->item_case == ELDERGATE__V1__FEED_ITEM__ITEM_PROGRESS &&
		        w->items[i]->progress->live;
		if (t->count && t->shown >= t->count && i + 1 < w->n_items) {
			atomic_store(&t->follow.stop, true);
			return put_out(err); /* not past the window */
		}
	}
	if (!rc)
		rc = put_out(err);
	if (!rc)
		rc = feed_options_keep(&t->options, w->next, err);
	if ((live && t->until_live) || (t->count && t->shown >= t->count))
		atomic_store(&t->follow.stop, true);
	return rc;
}

enum eg_rc subscribe(struct cli *c, struct eg_err *err)
{
	static struct tail t;
	Eldergate__V1__SubscribeRequest request = ELDERGATE__V1__SUBSCRIBE_REQUEST__INIT;
	enum eg_rc rc = cli_number(c, "count", 0, 1, INT64_MAX, &t.count, err);
	if (!rc)
		rc = feed_options_read(c, &t.options, err);
	if (!rc)
		rc = cli_connect(c, err);
	if (rc)
		return rc;
	t.c = c;
	t.until_live = cli_switch(c, "until-live");
	t.progress = cli_switch(c, "progress");
	request.start = &t.options.start;
	request.filter = &t.options.filter;
	request.purpose = (char *)(uintptr_t)cli_purpose(c);
	t.follow.client = c->client;
	t.follow.request = &request;
	t.follow.window = window;
	t.follow.arg = &t;
	rc = follow_run(&t.follow, err);
	eg_buf_free(&t.line);
	return rc;
}

enum eg_rc changes_list(struct cli *c, struct eg_err *err)
{
	static struct tail t;
	Eldergate__V1__ListChangesRequest request = ELDERGATE__V1__LIST_CHANGES_REQUEST__INIT;
	int64_t max;
	bool more = true;
	enum eg_rc rc = cli_number(c, "max", INT64_MAX, 1, INT64_MAX, &max, err);
	if (!rc)
		rc = feed_options_read(c, &t.options, err);
	t.c = c;
	request.start = &t.options.start;
	request.filter = &t.options.filter;
	request.purpose = (char *)(uintptr_t)cli_purpose(c);
	while (!rc && more) {
		ProtobufCMessage *answer = NULL;
		request.page_size = (uint32_t)(max - t.shown < PAGE ? max - t.shown : PAGE);
		rc = cli_call(c, LIST, &request.base, &eldergate__v1__list_changes_response__descriptor,
		              &answer, err);
		if (rc)
			break;
		const Eldergate__V1__ListChangesResponse *page =
		        (const Eldergate__V1__ListChangesResponse *)answer;
		for (size_t i = 0; i < page->n_items && !rc; i++)
			rc = print_item(&t, page->items[i], err);
		if (!rc)
			rc = put_out(err);
		if (!rc)
			rc = feed_options_keep(&t.options, page->next, err);
		more = !page->at_head && page->next && t.shown < max;
		if (more) {
			follow_cursor(&t.follow, page->next);
			t.options.start.position_case = ELDERGATE__V1__FEED_START__POSITION_CURSOR;
			t.options.start.cursor = &t.follow.cursor;
		}
		protobuf_c_message_free_unpacked(answer, NULL);
	}
	eg_buf_free(&t.line);
	return rc;
}
