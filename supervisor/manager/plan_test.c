/* The plan over links of a network namespace of this process and workers that are made by
 * hand: what it says is what manager_apply() does and what a dry run tells. */
#include "supervisor/manager/plan.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "supervisor/iface/worker.h"
#include "supervisor/manager/manager.h"
#include "supervisor/supervisor.h"

#define ENTRIES_MAX 8

struct scene {
	struct supervisor supervisor;
	struct worker workers[ENTRIES_MAX];
	size_t worker_count;
	struct config_iface entries[ENTRIES_MAX];
	size_t entry_count;
};

static void
nothing(void *arg, const struct iface_name *name)
{
	(void)arg;
	(void)name;
}

static void
nothing_due(void *arg)
{
	(void)arg;
}

static int
setup(void **state)
{
	static const struct links_events events = {.changed = nothing};
	static struct scene scene;

	if (geteuid() != 0) {
		printf("skipped: needs root for a network namespace\n");
		exit(77);
	}
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(system("ip link set lo up &&"
				"ip link add aa0 type veth peer name aa1 &&"
				"ip link add bb0 type veth peer name bb1 &&"
				"ip link set aa0 up && ip link set aa1 up"),
	    0);
	assert_int_equal(loop_new(&scene.supervisor.loop), 0);
	assert_int_equal(
	    links_new(&scene.supervisor.links, scene.supervisor.loop, &events, NULL),
	    0);
	*state = &scene;
	return 0;
}

static int
teardown(void **state)
{
	struct scene *scene = *state;

	links_free(scene->supervisor.links);
	loop_free(scene->supervisor.loop);
	return 0;
}

static int
begin(void **state)
{
	struct scene *scene = *state;

	TAILQ_INIT(&scene->supervisor.workers);
	scene->worker_count = 0;
	scene->entry_count = 0;
	return 0;
}

static struct worker *
scene_worker(struct scene *scene, const char *name, enum worker_state worker_state)
{
	struct worker *worker = &scene->workers[scene->worker_count++];

	memset(worker, 0, sizeof(*worker));
	worker->supervisor = &scene->supervisor;
	assert_int_equal(iface_name_set(&worker->iface, name), 0);
	capture_config_default(&worker->config);
	worker->enabled = true;
	worker->state = worker_state;
	TAILQ_INSERT_TAIL(&scene->supervisor.workers, worker, entry);
	return worker;
}

static struct config_iface *
scene_entry(struct scene *scene, enum config_iface_kind kind, const char *text)
{
	struct config_iface *entry = &scene->entries[scene->entry_count++];

	memset(entry, 0, sizeof(*entry));
	entry->kind = kind;
	capture_config_default(&entry->capture);
	if (kind == CONFIG_IFACE_NAMED)
		assert_int_equal(iface_name_set(&entry->name, text), 0);
	else if (kind == CONFIG_IFACE_PATTERN)
		snprintf(entry->pattern, sizeof(entry->pattern), "%s", text);
	return entry;
}

/* "aa0 new, bb0 kept": parts in the plan's order, keys in brackets. */
static void
assert_plan(struct scene *scene, const char *expected)
{
	char text[1024] = "";
	size_t used = 0;
	struct plan plan;

	assert_int_equal(
	    plan_make(&plan, &scene->supervisor, scene->entries, scene->entry_count),
	    0);
	for (size_t i = 0; i < plan.count; i++) {
		const struct plan_part *part = &plan.parts[i];

		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s %s",
		    i > 0 ? ", " : "", part->iface.s, plan_action_name(part->action));
		for (size_t j = 0; j < part->key_count; j++)
			used += (size_t)snprintf(
			    text + used, sizeof(text) - used, " [%s]", part->keys[j]);
		if (part->action == PLAN_REMOVED)
			assert_null(part->entry);
		else
			assert_non_null(part->entry);
	}
	plan_fini(&plan);
	assert_string_equal(text, expected);
}

static void
test_named(void **state)
{
	struct scene *scene = *state;

	scene_entry(scene, CONFIG_IFACE_NAMED, "zz9");
	scene_entry(scene, CONFIG_IFACE_NAMED, "aa0");
	assert_plan(scene, "aa0 new, zz9 new");
}

static void
test_equal(void **state)
{
	struct scene *scene = *state;

	scene_worker(scene, "aa0", WORKER_ACTIVE);
	scene_entry(scene, CONFIG_IFACE_NAMED, "aa0");
	assert_plan(scene, "aa0 kept");
}

static void
test_each_key(void **state)
{
	struct scene *scene = *state;
	struct config_iface *entry;

	scene_worker(scene, "aa0", WORKER_ACTIVE);
	entry = scene_entry(scene, CONFIG_IFACE_NAMED, "aa0");
	snprintf(entry->capture.filter, sizeof(entry->capture.filter), "udp");
	assert_plan(scene, "aa0 changed [filter]");
	entry->capture.snaplen++;
	entry->capture.promiscuous = !entry->capture.promiscuous;
	assert_plan(scene, "aa0 changed [snaplen] [promiscuous] [filter]");
}

static void
test_not_listed(void **state)
{
	struct scene *scene = *state;

	scene_worker(scene, "bb0", WORKER_ACTIVE);
	scene_worker(scene, "aa0", WORKER_ACTIVE);
	scene_entry(scene, CONFIG_IFACE_NAMED, "aa1");
	assert_plan(scene, "aa1 new, bb0 removed, aa0 removed");
}

static void
test_leaving(void **state)
{
	struct scene *scene = *state;

	scene_worker(scene, "aa0", WORKER_ACTIVE)->leaving = true;
	assert_plan(scene, "");
	scene_entry(scene, CONFIG_IFACE_NAMED, "aa0");
	assert_plan(scene, "aa0 new");
}

static void
test_disabled(void **state)
{
	struct scene *scene = *state;

	scene_worker(scene, "aa0", WORKER_UNINITIALIZED)->enabled = false;
	scene_entry(scene, CONFIG_IFACE_NAMED, "aa0");
	assert_plan(scene, "aa0 enable");
}

static void
test_error(void **state)
{
	struct scene *scene = *state;

	scene_worker(scene, "aa0", WORKER_ERROR);
	scene_entry(scene, CONFIG_IFACE_NAMED, "aa0");
	assert_plan(scene, "aa0 enable");
}

static void
test_waiting(void **state)
{
	struct scene *scene = *state;

	scene_worker(scene, "zz9", WORKER_ERROR); /* is not there */
	scene_worker(scene, "bb0", WORKER_ERROR); /* is down */
	scene_entry(scene, CONFIG_IFACE_NAMED, "zz9");
	scene_entry(scene, CONFIG_IFACE_NAMED, "bb0");
	assert_plan(scene, "bb0 kept, zz9 kept");
}

static void
test_pattern(void **state)
{
	struct scene *scene = *state;
	struct config_iface *entry;

	entry = scene_entry(scene, CONFIG_IFACE_PATTERN, "[ab]*");
	snprintf(entry->not [entry->not_count++], CONFIG_PATTERN_SIZE, "?b1");
	scene_entry(scene, CONFIG_IFACE_NAMED, "zz9");
	scene_worker(scene, "aa1", WORKER_ACTIVE);
	assert_plan(scene, "aa0 new, aa1 kept, bb0 new, zz9 new");
}

static void
test_name_before_pattern(void **state)
{
	struct scene *scene = *state;

	scene_entry(scene, CONFIG_IFACE_PATTERN, "aa*")->capture.snaplen = 96;
	scene_entry(scene, CONFIG_IFACE_NAMED, "aa0")->capture.snaplen = 256;
	scene_worker(scene, "aa0", WORKER_ACTIVE)->config.snaplen = 256;
	scene_worker(scene, "aa1", WORKER_ACTIVE);
	assert_plan(scene, "aa0 kept, aa1 changed [snaplen]");
}

static void
test_any_up(void **state)
{
	struct scene *scene = *state;

	scene_entry(scene, CONFIG_IFACE_ANY_UP, "");
	assert_plan(scene, "aa0 new, aa1 new");
	/* bb0 was taken when it was up. */
	scene_worker(scene, "bb0", WORKER_ACTIVE);
	assert_plan(scene, "aa0 new, aa1 new, bb0 kept");
}

static void
test_pattern_and_gone(void **state)
{
	struct scene *scene = *state;

	scene_entry(scene, CONFIG_IFACE_PATTERN, "zz*");
	scene_worker(scene, "zz9", WORKER_ERROR);
	assert_plan(scene, "zz9 removed");
}

/* Entries by name, "m0000" and so on, and what a plan says of them. */
static void
limit_entries(struct config_iface *entries, char letter, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		entries[i] = (struct config_iface){.kind = CONFIG_IFACE_NAMED};
		capture_config_default(&entries[i].capture);
		snprintf(
		    entries[i].name.s, sizeof(entries[i].name.s), "%c%04zu", letter, i);
	}
}

static void
test_limit(void **state)
{
	struct scene *scene = *state;
	struct config_iface *entries = calloc(WORKERS_MAX + 1, sizeof(*entries));
	struct plan plan;
	size_t refused = 0;

	assert_non_null(entries);
	/* Links that a pattern takes go behind those that are listed by their name. */
	entries[0] = (struct config_iface){.kind = CONFIG_IFACE_PATTERN};
	capture_config_default(&entries[0].capture);
	snprintf(entries[0].pattern, sizeof(entries[0].pattern), "aa*");
	limit_entries(entries + 1, 'm', WORKERS_MAX - 1);
	assert_int_equal(plan_make(&plan, &scene->supervisor, entries, WORKERS_MAX), 0);
	assert_int_equal(plan.count, WORKERS_MAX + 1);
	for (size_t i = 0; i < plan.count; i++) {
		const struct plan_part *part = &plan.parts[i];

		assert_int_equal(part->action, PLAN_NEW);
		refused += part->error == -E2BIG;
		assert_int_equal(
		    part->error, strcmp(part->iface.s, "aa1") == 0 ? -E2BIG : 0);
	}
	assert_int_equal(refused, 1);
	plan_fini(&plan);
	free(entries);
}

/* A full set is replaced by another one: who leaves does not take the new ones' place. */
static void
test_limit_replaced(void **state)
{
	struct scene *scene = *state;
	struct config_iface *entries = calloc(WORKERS_MAX, sizeof(*entries));
	struct worker *workers = calloc(WORKERS_MAX, sizeof(*workers));
	struct worker *more;
	struct plan plan;

	assert_true(entries && workers);
	limit_entries(entries, 'm', WORKERS_MAX);
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		workers[i].supervisor = &scene->supervisor;
		workers[i].iface = entries[i].name;
		workers[i].config = entries[i].capture;
		workers[i].enabled = true;
		workers[i].state = WORKER_ACTIVE;
		TAILQ_INSERT_TAIL(&scene->supervisor.workers, &workers[i], entry);
	}
	assert_int_equal(plan_make(&plan, &scene->supervisor, entries, WORKERS_MAX), 0);
	for (size_t i = 0; i < plan.count; i++)
		assert_true(
		    plan.parts[i].action == PLAN_KEPT && plan.parts[i].error == 0);
	plan_fini(&plan);
	/* There is no room for one more, which is told and remembered. */
	assert_int_equal(
	    worker_new(&more, &scene->supervisor, &entries[0].name, &entries[0], true),
	    -E2BIG);
	limit_entries(entries, 'n', WORKERS_MAX);
	assert_int_equal(plan_make(&plan, &scene->supervisor, entries, WORKERS_MAX), 0);
	assert_int_equal(plan.count, 2 * WORKERS_MAX);
	for (size_t i = 0; i < plan.count; i++) {
		assert_int_equal(
		    plan.parts[i].action, i < WORKERS_MAX ? PLAN_NEW : PLAN_REMOVED);
		assert_int_equal(plan.parts[i].error, 0);
	}
	plan_fini(&plan);
	free(workers);
	free(entries);
}

static void
test_limit_applied(void **state)
{
	struct scene *scene = *state;
	struct plan_part part = {.action = PLAN_NEW, .error = -E2BIG};
	struct plan plan = {.parts = &part, .count = 1};

	scene->supervisor.health_timer.fire = nothing_due;
	scene->supervisor.more_timer.fire = nothing_due;
	assert_int_equal(iface_name_set(&part.iface, "aa0"), 0);
	part.entry = scene_entry(scene, CONFIG_IFACE_NAMED, "aa0");
	assert_int_equal(manager_apply(&scene->supervisor, &plan), 0);
	assert_int_equal(part.error, -E2BIG);
	assert_null(manager_find(&scene->supervisor, "aa0"));
	assert_true(scene->supervisor.more_due);
	/* When something has gone it is tried again. */
	manager_follow_more(&scene->supervisor);
	assert_true(scene->supervisor.more_timer.armed);
	loop_timer_clear(scene->supervisor.loop, &scene->supervisor.more_timer);
	loop_timer_clear(scene->supervisor.loop, &scene->supervisor.health_timer);
}

#define TEST(sentence, function) \
	{ \
		sentence, function, begin, NULL, NULL \
	}

static const struct CMUnitTest tests[] = {
    TEST("listed by name and without a worker: new, there or not", test_named),
    TEST("listed and equal: kept", test_equal),
    TEST("listed with other settings: changed, with the keys that differ",
	test_each_key),
    TEST("not listed: removed", test_not_listed),
    TEST("being removed and listed again: new", test_leaving),
    TEST("listed and disabled: enabled", test_disabled),
    TEST("listed and in ERROR: opened again", test_error),
    TEST("in ERROR because it is down or not there: kept, it waits", test_waiting),
    TEST("a pattern takes what is there, but not what `not` names", test_pattern),
    TEST("an entry by name goes before a pattern", test_name_before_pattern),
    TEST("any-up takes what is up, keeps what went down, never loopback", test_any_up),
    TEST("what a pattern took and is gone: removed", test_pattern_and_gone),
    TEST("more than can be counted: those of patterns are left out", test_limit),
    TEST("a full set may be replaced by another one", test_limit_replaced),
    TEST("what there is no room for is not begun, and tried again later",
	test_limit_applied),
};

int
main(void)
{
	return cmocka_run_group_tests_name("plan", tests, setup, teardown);
}
