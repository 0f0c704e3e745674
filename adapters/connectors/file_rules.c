/* file_rules: see file_rules.h. */
#include "connectors/file_rules.h"

#include "common/charset.h"

#include <string.h>

/* What reaches the partner's machine over SFTP, in both directions. */
#define SFTP_TEXT(name, most, doc)                                                                           \
	{                                                                                                    \
		name, EG_SET_TEXT, false, NULL, 0, most, NULL, doc                                           \
	}
#define SFTP_SECRET(name, doc)                                                                               \
	{                                                                                                    \
		name, EG_SET_SECRET, false, NULL, 0, 0, NULL, doc                                            \
	}
static const char known_hosts_doc[] =
        "A known_hosts file that holds the server's key; any other key is refused.";
static const char sftp_timeout_doc[] = "How long connecting, or one piece of 32 KiB, may take.";
#define SFTP_SETTINGS                                                                                        \
	SFTP_TEXT("sftp_host", 253, "The SFTP server; without it: only folders of this machine."),           \
	        {"sftp_port", EG_SET_INT, false, "22", 1, 65535, NULL, "Its port."},                         \
	        SFTP_TEXT("sftp_user", 64, "The account there."),                                            \
	        SFTP_TEXT("sftp_known_hosts", 4096, known_hosts_doc),                                        \
	        SFTP_TEXT("sftp_key_file", 4096, "The file with the private key; closed to others."),        \
	        SFTP_SECRET("sftp_passphrase", "What opens the private key."),                               \
	        SFTP_SECRET("sftp_password", "Instead of a key: the password."),                             \
	        {"sftp_folder", EG_SET_TEXT, false, ".", 1, 1024, NULL, "The folder there."},                \
	{                                                                                                    \
		"sftp_timeout", EG_SET_TIME, false, "30s", 10000, 3600000000, NULL, sftp_timeout_doc         \
	}

const struct eg_setting_def file_source_settings[] = {
        {"inbox", EG_SET_TEXT, true, NULL, 1, 4096, NULL,
         "The folder that files arrive in; with SFTP: a private folder that they are fetched into."},
        {"name", EG_SET_TEXT, true, NULL, 1, 128, NULL,
         "The pattern of file names, with {as_of}, {region}, {sequence}, {kind}."},
        {"control", EG_SET_TEXT, false, "", 0, 16, NULL,
         "What is added to a file's name for its control file, such as .ctl; empty: there are none."},
        {"kind", EG_SET_CHOICE, false, "INC", 0, 0, "INC|FULL", "What a file is whose name does not say it."},
        {"full_without_control", EG_SET_BOOL, false, "false", 0, 0, NULL,
         "Takes full lists without control files: a truncated list then shows only in its last line."},
        {"order", EG_SET_CHOICE, false, "date", 0, 0, "date|sequence",
         "What comes first in a region's order; sequence: numbers go on from day to day."},
        {"position", EG_SET_CHOICE, false, "none", 0, 0, "none|date|date_sequence",
         "A list's as_of, and column file.position: YYYYMMDD, that times 10^9 plus the sequence, or "
         "nothing."},
        {"done", EG_SET_TEXT, false, "done", 1, 64, NULL, "The folder in the inbox for files that are done."},
        {"refused", EG_SET_TEXT, false, "refused", 1, 64, NULL, "The folder in the inbox for refused files."},
        {"encoding", EG_SET_CHOICE, false, "auto", 0, 0, EG_CHARSET_CHOICES,
         "The files' character set; gb18030 covers GBK; auto: by the mark, else by the text."},
        {"delimiter", EG_SET_TEXT, false, ",", 1, 3, NULL, "Between columns: one character, or tab."},
        {"header", EG_SET_BOOL, false, "true", 0, 0, NULL, "The first line names the columns."},
        {"columns", EG_SET_LIST, false, NULL, 0, 1000, NULL,
         "The columns' names, for files without a header."},
        {"settle", EG_SET_TIME, false, "30s", 0, 86400 * 1000000LL, NULL,
         "How long a file must stay unchanged before it counts as whole, or as wrong."},
        {"incomplete_after", EG_SET_TIME, false, "1d", 0, 365 * 86400 * 1000000LL, NULL,
         "How long a file waits for its control file, holding back the later ones of its region."},
        {"retry", EG_SET_TIME, false, "1m", 0, 86400 * 1000000LL, NULL,
         "When a file is tried again that could not be finished."},
        {"poll", EG_SET_TIME, false, "5s", 1000, 3600 * 1000000LL, NULL,
         "How often folders are looked at (a local folder also tells by itself)."},
        {"max_size", EG_SET_SIZE, false, "4GiB", 1, 1LL << 40, NULL, "A larger file is refused."},
        {"max_line", EG_SET_SIZE, false, "64KiB", 64, 16 << 20, NULL, "A longer line is a bad one."},
        {"max_bad", EG_SET_INT, false, "1000", 0, 1LL << 28, NULL,
         "A file with more lines that cannot be read is refused whole."},
        {"sample", EG_SET_INT, false, "200", 0, 1000000, NULL,
         "A file is refused when most of its first rows, this many, are garbled or damaged; 0: never."},
        {"remember", EG_SET_INT, false, "1000", 1, 50000, NULL,
         "How many files that are done are remembered, to know a repeated one."},
        SFTP_SETTINGS,
        {"sftp_after", EG_SET_CHOICE, false, "move", 0, 0, "move|keep",
         "A fetched file is moved to the folder `done` there, or stays and is remembered."},
        {0}};

const struct eg_setting_def file_target_settings[] = {
        {"outbox", EG_SET_TEXT, false, NULL, 0, 4096, NULL, "The folder that files are written into."},
        {"name", EG_SET_TEXT, true, NULL, 1, 128, NULL,
         "The pattern of file names; must have {sequence}, may have {as_of} (the day of writing)."},
        {"control", EG_SET_TEXT, false, ".ctl", 1, 16, NULL,
         "What is added to a file's name for its control file, which is written last."},
        {"digest", EG_SET_CHOICE, false, "sha256", 0, 0, "sha256|sm3", "The digest in the control file."},
        {"encoding", EG_SET_CHOICE, false, "utf-8", 0, 0, "utf-8|gb18030",
         "The files' character set; utf-8 comes with a byte order mark."},
        SFTP_SETTINGS,
        {0}};

/* One component, so that it cannot lead out of the inbox. */
static enum eg_rc folder(const struct eg_settings *s, const char *name, const char **out, struct eg_err *err)
{
	*out = eg_settings_text(s, name);
	return strchr(*out, '/') || (*out)[0] == '.'
	               ? eg_settings_fail(s, name, err,
	                                  "a folder in the inbox: no '/', not beginning with '.'")
	               : EG_OK;
}

static enum eg_rc suffix(const struct eg_settings *s, const char **out, struct eg_err *err)
{
	*out = eg_settings_text(s, "control");
	bool plain = !**out || (**out == '.' && (*out)[1]);
	for (const char *c = *out; *c; c++)
		plain = plain &&
		        strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *c);
	return plain ? EG_OK : eg_settings_fail(s, "control", err, "it begins with '.', such as \".ctl\"");
}

enum eg_rc file_rules_read(struct file_rules *out, const struct eg_settings *s, struct eg_err *err)
{
	struct eg_err why = {0};
	const char *delimiter = eg_settings_text(s, "delimiter"), *position = eg_settings_text(s, "position");
	*out = (struct file_rules){.settings = s,
	                           .inbox = eg_settings_text(s, "inbox"),
	                           .full = strcmp(eg_settings_text(s, "kind"), "FULL") == 0,
	                           .full_without_control = eg_settings_int(s, "full_without_control"),
	                           .by_sequence = strcmp(eg_settings_text(s, "order"), "sequence") == 0,
	                           .position = strcmp(position, "none") == 0   ? POSITION_NONE
	                                       : strcmp(position, "date") == 0 ? POSITION_DATE
	                                                                       : POSITION_DATE_SEQUENCE,
	                           .encoding = eg_settings_text(s, "encoding"),
	                           .delimiter = strcmp(delimiter, "tab") == 0 ? '\t' : delimiter[0],
	                           .header = eg_settings_int(s, "header"),
	                           .settle_us = eg_settings_int(s, "settle"),
	                           .incomplete_us = eg_settings_int(s, "incomplete_after"),
	                           .retry_us = eg_settings_int(s, "retry"),
	                           .poll_us = eg_settings_int(s, "poll"),
	                           .max_bytes = (uint64_t)eg_settings_int(s, "max_size"),
	                           .max_line = (uint64_t)eg_settings_int(s, "max_line"),
	                           .max_bad = (uint64_t)eg_settings_int(s, "max_bad"),
	                           .sample = (uint64_t)eg_settings_int(s, "sample"),
	                           .remember = (uint64_t)eg_settings_int(s, "remember")};
	enum eg_rc rc = folder(s, "done", &out->done, err);
	if (!rc)
		rc = folder(s, "refused", &out->refused, err);
	if (!rc)
		rc = suffix(s, &out->control, err);
	if (rc)
		return rc;
	if (strcmp(out->done, out->refused) == 0)
		return eg_settings_fail(s, "refused", err, "it is the folder of `done` too");
	if (file_pattern_parse(&out->pattern, eg_settings_text(s, "name"), &why))
		return eg_settings_fail(s, "name", err, "%s", why.text);
	if ((strlen(delimiter) != 1 && out->delimiter != '\t') || strchr("\"\r\n", out->delimiter))
		return eg_settings_fail(s, "delimiter", err, "one character of ASCII but a quote, or tab");
	if (out->header == (eg_settings_count(s, "columns") > 0))
		return eg_settings_fail(s, "columns", err, "columns are named here or by a header, not both");
	if (out->position != POSITION_NONE && !file_pattern_has(&out->pattern, PART_AS_OF))
		return eg_settings_fail(s, "position", err, "the file names have no {as_of}");
	if (out->position == POSITION_DATE_SEQUENCE && !file_pattern_has(&out->pattern, PART_SEQUENCE))
		return eg_settings_fail(s, "position", err, "the file names have no {sequence}");
	return EG_OK;
}
