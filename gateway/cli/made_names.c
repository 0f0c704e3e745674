/* made_names: names and region codes to draw from; see made.h. Characters are from lists of frequency, not
 * from people. */
#include "cli/made.h"

#include <iconv.h>
#include <stdio.h>
#include <string.h>

#define COUNT(a) ((unsigned)(sizeof(a) / sizeof *(a)))

static const char *const surnames[] = {
        "王", "李", "张", "刘", "陈", "杨",   "黄",   "赵",   "吴",   "周",   "徐",  "孙", "马", "朱", "胡",
        "郭", "何", "高", "林", "罗", "郑",   "梁",   "谢",   "宋",   "唐",   "许",  "韩", "冯", "邓", "曹",
        "彭", "曾", "肖", "田", "董", "袁",   "潘",   "于",   "蒋",   "蔡",   "余",  "杜", "叶", "程", "苏",
        "魏", "吕", "丁", "任", "沈", "姚",   "卢",   "姜",   "崔",   "钟",   "谭",  "陆", "汪", "范", "金",
        "石", "廖", "贾", "夏", "韦", "付",   "方",   "白",   "邹",   "孟",   "熊",  "秦", "邱", "江", "尹",
        "薛", "阎", "段", "雷", "侯", "欧阳", "司马", "上官", "诸葛", "夏侯", "东方"};

static const char *const given[] = {
        "伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "娟", "涛", "明",
        "超", "秀", "霞", "平", "刚", "桂", "英", "华", "玉", "兰", "萍", "红", "玲", "芬", "燕", "彩",
        "春", "菊", "凤", "洁", "梅", "琳", "素", "云", "莲", "真", "环", "雪", "荣", "爱", "妹", "香",
        "月", "莺", "媛", "瑞", "凡", "佳", "嘉", "琼", "勤", "珍", "贞", "莉", "建", "国", "志", "文",
        "德", "福", "生", "祥", "顺", "庆", "根", "阿", "水", "木", "土", "银", "宝", "忠", "义", "仁"};

/* Beyond the common sets: four bytes of GB18030, or of UTF-8. */
static const char *const rare[] = {"䶮", "㐱", "㛃", "䜣", "㭎", "𠮷", "𣲘", "𬭚", "犇", "垚", "燚", "赟"};

static const char *const dotted[] = {"阿依古丽", "买买提", "艾力", "热合曼", "古丽娜尔", "吐尔逊",
                                     "扎西",     "卓玛",   "次仁", "多吉",   "达娃",     "央金"};

/* Pairs that people and input methods take for each other. */
static const char *const alike[][2] = {{"伟", "玮"}, {"芳", "方"}, {"静", "婧"}, {"丽", "莉"}, {"军", "君"},
                                       {"明", "铭"}, {"萍", "平"}, {"红", "虹"}, {"英", "瑛"}, {"建", "健"},
                                       {"志", "智"}, {"生", "胜"}, {"云", "芸"}, {"兰", "岚"}, {"珍", "真"},
                                       {"华", "骅"}, {"𠮷", "吉"}, {"䶮", "龑"}};

/* Issued in the 1980s and 1990s, many of them abolished since; then those of today. */
static const char *const regions[] = {"330321", "330322", "330323", "330325", "339004", "530121", "530122",
                                      "412723", "441282", "342401", "330302", "330303", "330304", "330305",
                                      "330324", "330326", "330327", "330328", "330329", "330381", "330382",
                                      "330383", "530102", "530103", "530111", "530112", "530114", "530115"};
enum { ABOLISHED = 10, NOT_BEFORE_2019 = 21 /* index of 330383 */ };

unsigned made_regions(bool of_today)
{
	return of_today ? COUNT(regions) - ABOLISHED : COUNT(regions);
}

const char *made_region_at(unsigned i)
{
	/* No elder's number was issued by a county that was made in 2019. */
	return i == NOT_BEFORE_2019 ? "330327" : regions[i];
}

const char *made_region(struct draw *d, bool of_today)
{
	return of_today ? regions[ABOLISHED + draw_below(d, COUNT(regions) - ABOLISHED)]
	                : made_region_at(draw_below(d, COUNT(regions)));
}

void made_name(struct draw *d, char out[MADE_NAME])
{
	unsigned kind = draw_below(d, 200);
	const char *first = given[draw_below(d, COUNT(given))], *second = given[draw_below(d, COUNT(given))];
	if (kind == 0) { /* 0.5 % */
		unsigned a = draw_below(d, COUNT(dotted)), b = draw_below(d, COUNT(dotted) - 1);
		snprintf(out, MADE_NAME, "%s\u00b7%s", dotted[a], dotted[b + (b >= a)]);
		return;
	}
	if (kind == 1) /* 0.5 % */
		first = rare[draw_below(d, COUNT(rare))];
	/* Drawn one after the other: arguments have no order. */
	bool two = draw_below(d, 100) < 70;
	const char *surname = surnames[draw_below(d, COUNT(surnames))];
	snprintf(out, MADE_NAME, "%s%s%s", surname, first, two ? second : "");
}

static size_t first_character(const char *text)
{
	bool valid;
	return eg_utf8_step(eg_bytes_of(text), &valid);
}

void made_name_form(struct draw *d, const char *name, char out[MADE_NAME])
{
	static const char *const dots[] = {"\u2022", "\u30fb", "\uff0e", "."};
	const char *dot = strstr(name, "\u00b7");
	size_t head = first_character(name);
	unsigned kind = draw_below(d, 3);
	if (dot)
		snprintf(out, MADE_NAME, "%.*s%s%s", (int)(dot - name), name,
		         dots[draw_below(d, COUNT(dots))], dot + strlen("\u00b7"));
	else if (kind == 0)
		snprintf(out, MADE_NAME, "%.*s %s", (int)head, name, name + head);
	else if (kind == 1)
		snprintf(out, MADE_NAME, "%.*s\u3000%s", (int)head, name, name + head);
	else
		snprintf(out, MADE_NAME, " %s ", name);
}

void made_name_variant(struct draw *d, const char *name, char out[MADE_NAME])
{
	for (unsigned i = 0; i < COUNT(alike); i++) {
		const char *at = strstr(name, alike[i][0]);
		if (!at || at == name)
			continue;
		snprintf(out, MADE_NAME, "%.*s%s%s", (int)(at - name), name, alike[i][1],
		         at + strlen(alike[i][0]));
		return;
	}
	/* Nothing to mistake: a character was lost or added. */
	snprintf(out, MADE_NAME, "%s%s", name, given[draw_below(d, COUNT(given))]);
}

/* GB18030 bytes taken for Latin-1, each then written as UTF-8. */
void made_name_mojibake(const char *name, char out[MADE_NAME])
{
	char gb[MADE_NAME], *from = (char *)(uintptr_t)name, *to = gb;
	size_t left = strlen(name), room = sizeof gb, n = 0;
	iconv_t way = iconv_open("GB18030", "UTF-8");
	if (way != (iconv_t)-1) {
		iconv(way, &from, &left, &to, &room);
		iconv_close(way);
	}
	for (char *p = gb; p < to && n + 3 < MADE_NAME; p++) {
		unsigned char b = (unsigned char)*p;
		if (b < 0x80) {
			out[n++] = (char)b;
		} else if (b >= 0xA0) { /* below are control characters, which do not survive what damages
			                   text so */
			out[n++] = (char)(0xC0 | b >> 6);
			out[n++] = (char)(0x80 | (b & 0x3F));
		}
	}
	out[n] = 0;
}
