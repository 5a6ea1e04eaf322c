/* One row per reason of a worker. Repairs are commands wherever one will do, ready to be
 * copied; what only an editor can do names the file, the line and the key. */
#include "client/check/verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/shell.h"
#include "common/text.h"

const char *
check_result_name(enum check_result result)
{
	switch (result) {
	case CHECK_OK:
		return "ok";
	case CHECK_WAITS:
		return "waits";
	case CHECK_FAILS:
		break;
	}
	return "fails";
}

struct case_at {
	const struct check_asker *asker;
	const struct check_target *target;
	const struct check_probe *probe;
	struct check_verdict *out;
};

static void __attribute__((format(printf, 2, 3)))
why(const struct case_at *at, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(at->out->why, sizeof(at->out->why), format, ap);
	va_end(ap);
}

static void __attribute__((format(printf, 2, 3)))
repair(const struct case_at *at, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(at->out->repair, sizeof(at->out->repair), format, ap);
	va_end(ap);
}

static void
judge_no_such_device(const struct case_at *at)
{
	if (at->target->iface.s[0] == '\0') {
		why(at, "nothing that it takes is there yet");
		return;
	}
	why(at, "there is no such interface yet; it is waited for");
	if (at->target->entry->kind == CONFIG_IFACE_NAMED)
		repair(at, "ip link  # is the name in %s:%zu right?", at->asker->file,
		    at->target->entry->line);
}

static void
judge_down(const struct case_at *at)
{
	char name[IFACE_NAME_SIZE * 4 + 8];

	shell_quote(name, sizeof(name), at->target->iface.s);
	why(at, "it is down; it is waited for");
	repair(at, "ip link set dev %s up", name);
}

static void
judge_permission(const struct case_at *at)
{
	char file[1000] = "";

	if (at->asker->operand)
		shell_quote(file, sizeof(file), at->asker->operand);
	if (!at->asker->root) {
		why(at, "only root can try it");
		repair(
		    at, "sudo weirctl check%s%s", at->asker->operand ? " " : "", file);
	} else if (at->asker->missing[0] != '\0') {
		why(at, "root lacks %s here", at->asker->missing);
		repair(at, CHECK_GRANT, at->asker->missing);
	} else {
		why(at,
		    "not permitted, although nothing is missing of root's rights: %s",
		    at->probe->text);
	}
}

static void
judge_filter(const struct case_at *at)
{
	why(at, "the filter does not fit: %s", at->probe->text);
	repair(at, "correct the key filter in %s:%zu", at->asker->file,
	    at->target->entry->filter_line);
}

static void
judge_link_type(const struct case_at *at)
{
	const struct config_iface *entry = at->target->entry;

	why(at, "%s", at->probe->text);
	if (entry->kind == CONFIG_IFACE_NAMED)
		repair(at, "remove the entry in %s:%zu", at->asker->file, entry->line);
	else
		repair(at, "add this interface to the key not of %s:%zu",
		    at->asker->file, entry->line);
}

static void
judge_open_failed(const struct case_at *at)
{
	const struct config_iface *entry = at->target->entry;
	char size[16];

	why(at, "it cannot be opened: %s", at->probe->text);
	if (!strcasestr(at->probe->text, "memory"))
		return;
	text_bytes(entry->capture.buffer, size);
	if (entry->buffer_line > 0)
		repair(at, "lower the key buffer in %s:%zu (%s)", at->asker->file,
		    entry->buffer_line, size);
	else
		repair(at, "set the key buffer in %s:%zu to less than %s",
		    at->asker->file, entry->line, size);
}

static const struct {
	const char *reason;
	enum check_result result;
	void (*judge)(const struct case_at *at);
} reasons[] = {
    {"no_such_device", CHECK_WAITS, judge_no_such_device},
    {"gone", CHECK_WAITS, judge_no_such_device}, /* while it was looked at */
    {"down", CHECK_WAITS, judge_down},
    {"permission", CHECK_FAILS, judge_permission},
    {"filter", CHECK_FAILS, judge_filter},
    {"link_type", CHECK_FAILS, judge_link_type},
    {"open_failed", CHECK_FAILS, judge_open_failed},
};

void
check_judge(const struct check_asker *asker, const struct check_target *target,
    const struct check_probe *probe, struct check_verdict *out)
{
	const struct case_at at = {asker, target, probe, out};
	char reason[sizeof(probe->reason) * 4];

	*out = (struct check_verdict){.result = CHECK_OK};
	if (!probe->answered) {
		out->result = CHECK_FAILS;
		why(&at, "%s", probe->failure);
		if (probe->no_rights)
			judge_permission(&at);
		return;
	}
	if (probe->reason[0] == '\0')
		return;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (strcmp(reasons[i].reason, probe->reason) == 0) {
			out->result = reasons[i].result;
			reasons[i].judge(&at);
			return;
		}
	}
	out->result = CHECK_FAILS;
	text_escape(reason, sizeof(reason), probe->reason, strlen(probe->reason));
	why(&at, "%s: %s", reason, probe->text);
}
