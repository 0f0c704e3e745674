/* file_rules: the settings of the file connector, read and judged once. */
#ifndef EG_CONNECTORS_FILE_RULES_H
#define EG_CONNECTORS_FILE_RULES_H

#include "connectors/file_name.h"
#include "eldergate/settings.h"

extern const struct eg_setting_def file_source_settings[];
extern const struct eg_setting_def file_target_settings[];

enum file_position { POSITION_NONE, POSITION_DATE, POSITION_DATE_SEQUENCE };

struct file_rules {
	const struct eg_settings *settings; /* the mapping's; texts below live as long */
	struct file_pattern pattern;
	const char *inbox, *done, *refused;
	const char *control; /* suffix with its dot; "": no control files */
	bool full;           /* what a file is whose name does not say it */
	bool full_without_control, by_sequence;
	enum file_position position;
	const char *encoding; /* "auto", "utf-8", "gb18030" */
	char delimiter;
	bool header;
	int64_t settle_us, incomplete_us, retry_us, poll_us;
	uint64_t max_bytes, max_line, max_bad, sample, remember;
};

enum eg_rc file_rules_read(struct file_rules *out, const struct eg_settings *s, struct eg_err *err);

#endif
