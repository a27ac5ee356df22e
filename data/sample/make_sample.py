"""Makes the sample corpus: Chinese and English math word problems in the file layout of Math23k and ASDiv.

    python data/sample/make_sample.py [--seed 0] [--out DIR]

The project ships no published data, so lessons and tests run on problems written here. Their numbers alone must not
give the answer away, or a model could score well without reading a word. So, in each language,
- one set of facts answers many questions, and "more than" stands beside "fewer than", in both directions;
- facts are told forwards or backwards where the story allows, and a quarter of the problems has a number too many;
- half of the numbers divide, or are multiples of, another one, whatever is to be done with them;
- among problems whose numbers look alike (how many, which sorts, their order of size, which divides which), no
  equation may have more than a fixed share: `Corpus.finish`.

A story is a block of lines:
    either way a=4..90 t=2..9 X=toy      facts told forwards or backwards, or "in order"; ranges of numbers; word lists
    q=a*t: {B} has {t} times as many.    a fact; what it defines, if anything; wordings, divided by |
    ? a+q [{X}]: How many ...?           a question: its equation, the answer's unit (English), wordings
Lines that define the same name are alternatives. Ranges: 4..90 whole, 0.5..9.5 decimal, % percent, / fraction;
the word "measured" in the first line allows results such as 2.5.
"""
import argparse
import ast
import json
import random
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from itertools import combinations
from pathlib import Path

SIZES = {"train": 1200, "valid": 150, "test": 150}
FOLDS, FOLD_SIZE = 5, 360
OPERATIONS = {1: 35, 2: 35, 3: 20, 4: 10}  # percent of the problems
DISTRACTED = 0.25  # share of problems with a number that is not needed
LARGEST_SHARE = 0.3  # of one equation among problems whose numbers look alike
FRACTIONS = [f"{n}/{d}" for d in range(3, 10) for n in range(1, d) if Fraction(n, d).denominator == d]
PERCENTS = [f"{n}%" for n in (5, 10, 15, 20, 25, 30, 40, 50, 60, 70, 75, 80)]
CARDINALS = ("two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
             "seventeen eighteen nineteen twenty").split()

ENGLISH_WORDS = {
    "name": "Anna Ben Carla David Emma Frank Grace Henry",
    "town": "Dover Leeds York Bath Oxford Derby Truro Wells",
    "toy": "marble-marbles sticker-stickers card-cards shell-shells button-buttons bead-beads stamp-stamps coin-coins "
           "badge-badges ribbon-ribbons",
    "ware": "pencil-pencils notebook-notebooks ruler-rulers brush-brushes folder-folders cup-cups plate-plates "
            "bottle-bottles lamp-lamps towel-towels",
    "tree": "pine-pines willow-willows palm-palms maple-maples birch-birches",
    "cake": "muffin-muffins cookie-cookies roll-rolls bun-buns pie-pies bagel-bagels cake-cakes waffle-waffles",
    "coat": "coat-coats bicycle-bicycles watch-watches radio-radios table-tables chair-chairs bag-bags tent-tents",
    "place": "theater-theaters school-schools circus-circuses library-libraries club-clubs museum-museums",
}
ENGLISH_DISTRACTORS = ["{A} is {z} years old.", "{A} lives in house number {z}.", "It is {z} degrees outside.",
                       "The trip takes {A} {z} minutes."]
ENGLISH = """
in order a=8..90 b=2..40 t=2..9 c=2..40 X=toy
{A} has {a} {X}. | There are {a} {X} in the box of {A}.
q=a+b: {B} has {b} more {X} than {A}. | {A} has {b} fewer {X} than {B}.
q=a-b: {B} has {b} fewer {X} than {A}. | {A} has {b} more {X} than {B}.
q=a*t: {B} has {t} times as many {X} as {A}.
r=q+c: {C} has {c} more {X} than {B}.
r=q-c: {C} has {c} fewer {X} than {B}.
? q [{X}]: How many {X} does {B} have? | How many {X} are there in the box of {B}?
? a+q [{X}]: How many {X} do {A} and {B} have together?
? r [{X}]: How many {X} does {C} have? | How many {X} are there in the box of {C}?

either way a=2..24 b=2..12 c=2..24 d=2..12 e=60..400 X=ware Y=ware
Each {M} costs ${a}. | The price of each {M} is ${a}.
{A} buys {b} {X}. | {A} needs {b} {X}.
Each {N} costs ${c}. | The price of each {N} is ${c}.
{A} also takes {d} {Y}. | There are {d} {Y} in the basket of {A}.
{A} brings ${e} to the shop. | {A} has ${e} to spend.
? a*b [dollars]: How much do the {X} of {A} cost?
? e-a*b [dollars]: How much money is left after {A} pays for the {X}?
? a*b+c*d [dollars]: How much do the {X} and the {Y} of {A} cost together?
? e-a*b-c*d [dollars]: How much money is left after {A} pays for the {X} and the {Y}?
? a-c [dollars]: How much more does each {M} cost than each {N}?
? a+c [dollars]: How much do a {M} and a {N} cost together?

in order a=4..60 b=2..9 c=2..60 d=2..9 e=2..40 X=toy
p=a: {A} has {a} {X}. | {A} finds {a} {X} in a drawer.
p=a*b: {A} has {b} bags with {a} {X} in each. | {A} fills {b} bags with {a} {X} each.
q=p+c: {B} gives {A} {c} more {X}. | Then {A} buys {c} more {X}.
q=p-c: {A} gives {B} {c} of these {X}. | Then {A} loses {c} {X}.
r=q+e: Later {C} brings {A} {e} more {X}.
r=q-e: Later {C} takes away {e} {X}.
? q [{X}]: How many {X} does {A} have now? | How many {X} does {A} have in the end?
? r [{X}]: How many {X} does {A} have now? | How many {X} does {A} have in the end?
? q/d [{X}]: Now {A} shares all these {X} equally among {d} friends. How many {X} does each friend get?
? r/d [{X}]: Now {A} shares all these {X} equally among {d} friends. How many {X} does each friend get?

either way a=8..90 b=2..40 P=town
u=a-b: At {P} {b} people get on, and then {a} people are on the bus.
u=a+b: At {P} {b} people get off, and then {a} people are on the bus.
v=a+b: The bus comes to {P} with {a} people, and {b} people get on.
v=a-b: The bus comes to {P} with {a} people, and {b} people get off.
? u [people]: How many people were on the bus before {P}? | Before {P}, how many people were on the bus?
? v [people]: How many people are on the bus after {P}? | After {P}, how many people are on the bus?

either way a=20..120 b=2..12 c=60..2400 d=20..120 P=town Q=town
The train goes {a} miles every hour. | Every hour the train goes {a} miles.
The train has been on its way for {b} hours. | The train left {P} {b} hours ago.
It is {c} miles from {P} to {Q}. | The road between {P} and {Q} is {c} miles long.
The bus goes {d} miles every hour. | Every hour the bus goes {d} miles.
? a*b [miles]: How many miles has the train gone so far?
? c/a [hours]: How many hours does the train take from {P} to {Q}?
? c-a*b [miles]: How many miles does the train still have to go to {Q}?
? a-d [miles]: How many more miles does the train go every hour than the bus?
? c/(a+d) [hours]: The bus leaves {Q} as the train leaves {P}. After how many hours do they meet?

either way a=60..4800 b=12..120 c=2..24 d=2..15 e=2..30 X=cake
The baker has an order for {a} {X}. | There is an order for {a} {X}.
The baker makes {b} {X} every day. | Every day the baker makes {b} {X}.
The baker has worked for {c} days. | The work began {c} days ago.
? a/b [days]: How many days does the whole order take?
? b*c [{X}]: How many {X} are ready so far?
? a-b*c [{X}]: How many {X} are still to be made?
? (a-b*c)/d [{X}]: The rest must be ready in {d} days. How many {X} must be made on each of them?
? a/(b+e) [days]: With {e} more {X} every day, how many days does the whole order take?
? a/b-a/(b+e) [days]: With {e} more {X} every day, how many days sooner is the order ready?

either way a=24..360 f=/ c=5..120
The book of {A} has {a} pages. | There are {a} pages in the book of {A}.
{A} reads {f} of the book on Monday. | On Monday {A} reads {f} of the book.
{A} reads {c} pages on Tuesday. | On Tuesday {A} reads {c} pages.
? a*f [pages]: How many pages does {A} read on Monday?
? a*(1-f) [pages]: How many pages are left after Monday?
? a*f+c [pages]: How many pages does {A} read on Monday and Tuesday together?
? a*(1-f)-c [pages]: How many pages are left after Monday and Tuesday together?

in order a=20..480 f=/ p=% X=tree Y=tree
There are {a} {X} in the park. | The park has {a} {X}.
q=a*f: The number of {Y} is {f} of the number of {X}.
q=a*(1+p): There are {p} more {Y}. | The number of {Y} is {p} higher.
q=a*(1-p): There are {p} fewer {Y}. | The number of {Y} is {p} lower.
q=a/(1+p): That is {p} more than the number of {Y}.
q=a/(1-p): That is {p} fewer than the number of {Y}.
? q [{Y}]: How many {Y} are there in the park? | How many {Y} does the park have?
? a+q [trees]: How many {X} and {Y} are there in the park? | How many {X} and {Y} does the park have?

either way a=4..30 b=4..30 c=20..360 d=2..25 X=place
The {M} has {a} rows of chairs. | There are {a} rows of chairs in the {M}.
There are {b} chairs in each row. | Each row has {b} chairs.
Tonight {c} people sit in the {M}. | Tonight {c} chairs in the {M} are taken.
Each ticket costs ${d}. | Each visitor pays ${d}.
? a*b [chairs]: How many chairs does the {M} have?
? c*d [dollars]: How much money do the visitors pay tonight?
? a*b-c [chairs]: How many chairs are free tonight?
? (a*b-c)*d [dollars]: How much more money would the {M} get tonight if it were full?

either way a=10..90 b=4..60 c=60..900 d=10..240 w=2..12 X=coat
{A} earns ${a} every week. | Every week {A} earns ${a}.
{A} spends ${b} every week. | Every week {A} spends ${b}.
The new {M} costs ${c}. | The price of the new {M} is ${c}.
{A} already has ${d}. | There is ${d} in the wallet of {A}.
? a-b [dollars]: How much can {A} save every week?
? (a-b)*w [dollars]: How much can {A} save in {w} weeks?
? c-d [dollars]: How much more money does {A} need for the {M}?
? c/(a-b) [weeks]: How many weeks must {A} save to get the whole price of the {M}?
? (c-d)/(a-b) [weeks]: How many weeks must {A} save to get the rest of the price of the {M}?

either way a=20..800 p=% b=2..12 X=coat
u=a: Without the sale each {M} costs ${a}. | The normal price of each {M} is ${a}.
v=a: In the sale each {M} costs ${a}. | The sale price of each {M} is ${a}.
In the sale each {M} is {p} cheaper. | The shop takes {p} off each {M} in the sale.
{A} buys {b} {X}. | {A} needs {b} {X}.
? u*p [dollars]: How much is saved on each {M}?
? u*(1-p) [dollars]: What does each {M} cost in the sale?
? u*(1-p)*b [dollars]: What does {A} pay in the sale?
? v/(1-p) [dollars]: What did each {M} cost before the sale?

either way a=24..960 b=2..24 c=2..24 d=2..12 e=24..960 X=toy
Together {b} machines make {a} {X} every hour. | Every hour {b} machines together make {a} {X}.
A school needs {e} {X}. | A customer asks for {e} {X}.
? a/b [{X}]: How many {X} does each machine make every hour?
? a/b*c [{X}]: How many {X} do {c} such machines make every hour?
? a/b*c*d [{X}]: How many {X} do {c} such machines make in {d} hours?
? e/a [hours]: How many hours do these machines need for all of them?
? e/(a/b*c) [hours]: How many hours do {c} such machines need for all of them?
"""

CHINESE_WORDS = {
    "name": "小明 小红 小华 小刚 小丽 小军 小芳 小强",
    "town": "甲城 乙城 东镇 西镇 南村 北村 山城 海城",
    "toy": "支-铅笔 张-邮票 张-卡片 颗-珠子 块-积木 枚-贝壳 个-气球 本-画册 朵-纸花 块-糖",
    "ware": "支-钢笔 本-练习本 把-尺子 个-书包 盒-彩笔 个-杯子 条-毛巾 块-橡皮 个-足球 根-跳绳",
    "tree": "棵-苹果树 棵-梨树 棵-桃树 棵-松树 棵-柳树",
    "part": "个-零件 台-电视机 辆-自行车 套-课桌 件-衣服 双-皮鞋 个-玩具 把-椅子",
    "food": "大米 面粉 白菜 土豆 煤 水泥 化肥 玉米",
    "club": "合唱队 舞蹈队 足球队 美术组 书法组 航模组 篮球队 科技组",
}
CHINESE_DISTRACTORS = ["{A} 今年 {z} 岁 。", "{A} 家 住 在 {z} 号 楼 。", "今天 的 气温 是 {z} 度 。",
                       "{A} 上学 要 走 {z} 分钟 。"]
CHINESE = """
in order a=8..90 b=2..40 t=2..9 c=2..40 X=toy
{A} 有 {a} {M} {X} 。 | {A} 的 盒子 里 有 {a} {M} {X} 。
q=a+b: {B} 的 {X} 比 {A} 多 {b} {M} 。 | {A} 的 {X} 比 {B} 少 {b} {M} 。
q=a-b: {B} 的 {X} 比 {A} 少 {b} {M} 。 | {A} 的 {X} 比 {B} 多 {b} {M} 。
q=a*t: {B} 的 {X} 是 {A} 的 {t} 倍 。
r=q+c: {C} 比 {B} 还 多 {c} {M} 。
r=q-c: {C} 比 {B} 还 少 {c} {M} 。
? q: {B} 有 多少 {M} {X} ？ | {B} 的 盒子 里 有 多少 {M} {X} ？
? a+q: {A} 和 {B} 一共 有 多少 {M} {X} ？
? r: {C} 有 多少 {M} {X} ？ | {C} 的 盒子 里 有 多少 {M} {X} ？

either way measured a=0.5..9.5 b=2..12 c=2..24 d=2..12 e=40..400 X=ware Y=ware
每 {M} {X} {a} 元 。 | {X} 的 单价 是 {a} 元 。
{A} 买 了 {b} {M} {X} 。 | {A} 需要 {b} {M} {X} 。
每 {N} {Y} {c} 元 。 | {Y} 的 单价 是 {c} 元 。
{A} 还 买 了 {d} {N} {Y} 。 | {A} 还 需要 {d} {N} {Y} 。
{A} 带 了 {e} 元 。 | {A} 一共 有 {e} 元 。
? a*b: {A} 买 {X} 用 了 多少 元 ？
? e-a*b: {A} 买 完 {X} 后 还 剩 多少 元 ？
? a*b+c*d: {A} 买 {X} 和 {Y} 一共 用 了 多少 元 ？
? e-a*b-c*d: {A} 买 完 {X} 和 {Y} 后 还 剩 多少 元 ？
? c-a: 每 {N} {Y} 比 每 {M} {X} 贵 多少 元 ？
? a+c: 一 {M} {X} 和 一 {N} {Y} 共 多少 元 ？

either way a=20..120 b=2..12 c=60..2400 d=20..120 P=town Q=town
客车 每 小时 行 {a} 千米 。 | 客车 的 速度 是 每 小时 {a} 千米 。
客车 已经 行 了 {b} 小时 。 | 客车 已经 开出 {b} 小时 。
{P} 到 {Q} 的 公路 长 {c} 千米 。 | {P} 与 {Q} 相距 {c} 千米 。
货车 每 小时 行 {d} 千米 。 | 货车 的 速度 是 每 小时 {d} 千米 。
? a*b: 客车 已经 行 了 多少 千米 ？
? c/a: 客车 从 {P} 到 {Q} 要 行 多少 小时 ？
? c-a*b: 客车 从 {P} 开往 {Q} ， 还要 行 多少 千米 ？
? a-d: 客车 每 小时 比 货车 多 行 多少 千米 ？
? c/(a+d): 两车 同时 从 {P} 和 {Q} 相对 开出 ， 多少 小时 后 相遇 ？

either way a=60..4800 b=12..120 c=2..24 d=2..15 e=2..30 X=part
工厂 计划 生产 {a} {M} {X} 。 | 工厂 要 完成 {a} {M} {X} 的 任务 。
工厂 每天 生产 {b} {M} {X} 。 | 平均 每天 生产 {b} {M} {X} 。
工厂 已经 生产 了 {c} 天 。 | 工人 已经 工作 了 {c} 天 。
? a/b: 完成 全部 任务 要 多少 天 ？
? b*c: 已经 生产 了 多少 {M} {X} ？
? a-b*c: 还 剩 多少 {M} {X} 没有 生产 ？
? (a-b*c)/d: 剩下 的 要 在 {d} 天 内 完成 ， 平均 每天 要 生产 多少 {M} {X} ？
? a/(b+e): 如果 每天 多 生产 {e} {M} ， 完成 全部 任务 要 多少 天 ？
? a/b-a/(b+e): 如果 每天 多 生产 {e} {M} ， 可以 提前 多少 天 完成 ？

either way a=24..360 f=/ c=5..120
{A} 看 一本 {a} 页 的 书 。 | {A} 的 书 一共 有 {a} 页 。
{A} 第一天 看 了 全书 的 {f} 。 | 第一天 {A} 看 了 这本书 的 {f} 。
{A} 第二天 看 了 {c} 页 。 | 第二天 {A} 看 了 {c} 页 。
? a*f: {A} 第一天 看 了 多少 页 ？
? a*(1-f): 第一天 后 还 剩 多少 页 没有 看 ？
? a*f+c: {A} 两天 一共 看 了 多少 页 ？
? a*(1-f)-c: 两天 后 还 剩 多少 页 没有 看 ？

in order a=20..480 f=/ p=% X=tree Y=tree
果园 里 有 {a} 棵 {X} 。 | 果园 里 种 了 {a} 棵 {X} 。
q=a*f: {Y} 的 棵数 是 {X} 的 {f} 。
q=a*(1+p): {Y} 的 棵数 比 {X} 多 {p} 。
q=a*(1-f): {Y} 的 棵数 比 {X} 少 {f} 。
q=a/(1+f): {X} 的 棵数 比 {Y} 多 {f} 。
q=a/(1-p): {X} 的 棵数 比 {Y} 少 {p} 。
? q: 果园 里 有 多少 棵 {Y} ？ | 果园 里 种 了 多少 棵 {Y} ？
? a+q: 果园 里 {X} 和 {Y} 一共 有 多少 棵 ？

either way a=4..60 b=4..60 X=club
{X} 有 {a} 名 男生 。 | {X} 的 男生 有 {a} 人 。
{X} 有 {b} 名 女生 。 | {X} 的 女生 有 {b} 人 。
? a/b: {X} 的 男生 是 女生 的 几分之几 ？
? a/(a+b): {X} 的 男生 占 全队 的 几分之几 ？
? (a-b)/b: {X} 的 男生 比 女生 多 百分之几 ？
? (b-a)/b: {X} 的 男生 比 女生 少 百分之几 ？
? a-b: {X} 的 男生 比 女生 多 多少 人 ？
? a+b: {X} 的 男生 和 女生 一共 有 多少 人 ？

either way measured a=20..800 p=% b=2..12 X=ware
u=a: 每 {M} {X} 原价 {a} 元 。 | {X} 的 原价 是 每 {M} {a} 元 。
v=a: 每 {M} {X} 现价 {a} 元 。 | {X} 的 现价 是 每 {M} {a} 元 。
{X} 现在 降价 {p} 。 | 商店 把 {X} 降价 {p} 出售 。
{A} 买 了 {b} {M} {X} 。 | {A} 需要 {b} {M} {X} 。
? u*p: 现在 每 {M} {X} 便宜 多少 元 ？
? u*(1-p): 每 {M} {X} 的 现价 是 多少 元 ？
? u*(1-p)*b: {A} 降价 后 要 付 多少 元 ？
? v/(1-p): 每 {M} {X} 的 原价 是 多少 元 ？

either way measured a=2..40 b=2..40 c=2..12
圆形 水池 的 直径 是 {a} 米 。 | 水池 是 圆形 ， 直径 {a} 米 。
{A} 每天 绕 水池 走 {b} 圈 。 | 每天 {A} 绕 水池 走 {b} 圈 。
{A} 每 分钟 走 {c} 米 。 | {A} 走路 的 速度 是 每 分钟 {c} 米 。
? 3.14*a: 水池 的 周长 是 多少 米 ？ | 水池 一周 长 多少 米 ？
? 3.14*a*b: {A} 每天 绕 水池 走 多少 米 ？
? 3.14*a*b/c: {A} 每天 绕 水池 走 多少 分钟 ？

in order measured a=20..400 b=2..120 c=2..120 d=2..12 e=2..12 X=food
p=a: 仓库 里 有 {a} 吨 {X} 。 | 仓库 原来 有 {a} 吨 {X} 。
p=a*d: 仓库 里 有 {d} 堆 {X} ， 每 堆 {a} 吨 。 | 仓库 运来 {d} 车 {X} ， 每 车 {a} 吨 。
q=p-b: 上午 运走 {b} 吨 。 | 第一次 用去 {b} 吨 。
q=p+b: 上午 运来 {b} 吨 。 | 第一次 运来 {b} 吨 。
r=q-c: 下午 又 运走 {c} 吨 。 | 第二次 又 用去 {c} 吨 。
r=q+c: 下午 又 运来 {c} 吨 。 | 第二次 又 运来 {c} 吨 。
? q: 仓库 里 现在 有 {X} 多少 吨 ？ | 现在 仓库 里 的 {X} 是 多少 吨 ？
? r: 仓库 里 现在 有 {X} 多少 吨 ？ | 现在 仓库 里 的 {X} 是 多少 吨 ？
? q/e: 现在 平均 分给 {e} 个 商店 ， 每个 商店 分到 多少 吨 ？
? r/e: 现在 平均 分给 {e} 个 商店 ， 每个 商店 分到 多少 吨 ？

either way a=24..960 b=2..24 c=2..24 d=2..12 e=24..960 X=part
{b} 台 机器 每 小时 生产 {a} {M} {X} 。 | 工厂 用 {b} 台 机器 每 小时 生产 {a} {M} {X} 。
学校 要 买 {e} {M} {X} 。 | 商店 需要 {e} {M} {X} 。
? a/b: 每 台 机器 每 小时 生产 多少 {M} {X} ？
? a/b*c: {c} 台 这样 的 机器 每 小时 生产 多少 {M} {X} ？
? a/b*c*d: {c} 台 这样 的 机器 {d} 小时 生产 多少 {M} {X} ？
? e/a: 这些 机器 要 生产 多少 小时 才 够 ？
? e/(a/b*c): {c} 台 这样 的 机器 要 生产 多少 小时 才 够 ？
"""


@dataclass
class Fact:
    name: str  # what it defines, or ""
    meaning: object  # the tree of what it defines, or None
    wordings: list[str]


@dataclass
class Story:
    reversible: bool  # its facts may be told backwards
    measured: bool
    ranges: dict
    lists: dict
    facts: list = field(default_factory=list)
    questions: list = field(default_factory=list)  # (tree, unit, wordings)


def read_stories(text):
    """The blocks above -> [Story]"""
    stories = []
    for block in text.strip().split("\n\n"):
        head, *lines = block.split("\n")
        given = dict(word.split("=") for word in head.split() if "=" in word)
        story = Story(head.startswith("either way"), "measured" in head,
                      {k: v for k, v in given.items() if k.islower()}, {k: v for k, v in given.items() if k.isupper()})
        for line in lines:
            question = re.match(r"\? (\S+?)(?: \[(.*?)\])?: (.*)", line)
            defining = re.match(r"(\w)=(\S+): (.*)", line)
            if question:
                story.questions.append((tree(question[1]), question[2], question[3].split(" | ")))
            elif defining:
                story.facts.append(Fact(defining[1], tree(defining[2]), defining[3].split(" | ")))
            else:
                story.facts.append(Fact("", None, line.split(" | ")))
        stories.append(story)
    return stories


# An equation is a tree: a leaf ("a", "1", "3.14") or (sign, left, right).

def tree(text):
    def build(node):
        if isinstance(node, ast.BinOp):
            sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}[type(node.op)]
            return sign, build(node.left), build(node.right)
        return ast.unparse(node)
    return build(ast.parse(text, mode="eval").body)


def leaves(node):
    return leaves(node[1]) + leaves(node[2]) if isinstance(node, tuple) else [node]


def replaced(node, meanings):
    """The tree with each name that a fact defines replaced by what it means."""
    if isinstance(node, tuple):
        return node[0], replaced(node[1], meanings), replaced(node[2], meanings)
    return replaced(meanings[node], meanings) if node in meanings else node


def infix(node, names):
    """a*(b+c), with the brackets that are needed; a - (b + c) keeps them, a + (b - c) does not."""
    if not isinstance(node, tuple):
        return names.get(node, node)
    sign, left, right = node
    left_text, right_text = infix(left, names), infix(right, names)
    if sign in "*/" and left[0] in "+-":
        left_text = f"({left_text})"
    if right[0] in "+-" and sign != "+" or right[0] in "*/" and sign == "/":
        right_text = f"({right_text})"
    return left_text + sign + right_text


@cache
def number(text):
    """The value of 12, 2.5, 20% or 3/8, exactly."""
    return Fraction(text[:-1]) / 100 if text.endswith("%") else Fraction(text)


def result(node, texts, grain):
    """The value; None if it or that of a part is not positive, or not a multiple of the grain (0: all are allowed).
    What is made of rates alone, such as 1 - 3/8, may be any fraction."""
    if not isinstance(node, tuple):
        return number(texts.get(node, node))
    a, b = result(node[1], texts, grain), result(node[2], texts, grain)
    if a is None or b is None:
        return None
    value = a + b if node[0] == "+" else a - b if node[0] == "-" else a * b if node[0] == "*" else a / b
    rate = all(texts.get(leaf, "%")[-1] == "%" or "/" in texts[leaf] for leaf in leaves(node))
    return value if value > 0 and (rate or not grain or (value / grain).denominator == 1) else None


def look(texts):
    """All that can be seen of the numbers without a word: sorts, order of size, which divides which."""
    numbers = [number(text) for text in texts]
    sorts = ["%" if "%" in text else "/" if "/" in text else "." if "." in text else "#" for text in texts]
    return tuple(sorts), tuple((a < b, (a / b).denominator == 1, (b / a).denominator == 1)
                               for a, b in combinations(numbers, 2))


def draw(sort, others, rng):
    """A number of this sort, as text; half of the whole ones divide, or are multiples of, one that was drawn before."""
    if sort in "%/":
        return rng.choice(PERCENTS if sort == "%" else FRACTIONS)
    if "." in sort.replace("..", ""):
        low, high = (round(10 * float(end)) for end in sort.split(".."))
        return f"{rng.randint(low, high) / 10:g}"
    low, high = map(int, sort.split(".."))
    if others and rng.random() < 0.5:
        other = rng.choice(others)  # of a fraction, the denominator
        other = number(other).denominator if "/" in other else int(number(other))
        multiples = range(-(-low // other) * other, high + 1, other) if other else []
        divisors = [n for n in range(low, min(high, other) + 1) if other % n == 0]
        options = [numbers for numbers in (multiples, divisors) if numbers]
        if options:
            return str(rng.choice(rng.choice(options)))
    return str(rng.randint(low, high))


def letters(text):
    """The places of numbers in a sentence, in reading order: "{A} has {a} or {b}" -> [a, b]"""
    return re.findall(r"{([a-z])}", text)


class Corpus:
    """Problems of one language, one after the other, none of which looks too much like those before."""

    def __init__(self, stories, words, distractors, rng):
        self.stories, self.distractors, self.rng = read_stories(stories), distractors, rng
        self.words = {name: [word.split("-") for word in text.split()] for name, text in words.items()}
        self.masked, self.equations = set(), defaultdict(Counter)

    def problem(self):
        """-> sentences with {a}, {b}, … for the numbers, letter -> number as text, equation, its value, unit"""
        operations = self.rng.choices(list(OPERATIONS), OPERATIONS.values())[0]
        distracted = self.rng.random() < DISTRACTED
        weights = [len(story.facts) + len(story.questions) for story in self.stories]
        made = None
        while not made:
            story = self.rng.choices(self.stories, weights)[0]
            question, unit, wordings = self.rng.choice(story.questions)
            facts = list({fact.name or fact.wordings[0]: fact for fact in self.shuffled(story.facts)}.values())
            meanings = {fact.name: fact.meaning for fact in facts if fact.name}
            node = replaced(question, meanings)
            if len(leaves(node)) == operations + 1:
                asked = self.rng.choice(wordings)
                sentences = self.tell(story, question, meanings, facts, asked, distracted)
                made = self.finish(story, node, self.with_words(story, [*sentences, unit or ""]))
        return made

    def shuffled(self, items):
        return self.rng.sample(items, len(items))

    def tell(self, story, question, meanings, facts, asked, distracted):
        """The sentences of a problem: the facts that the question needs, perhaps one more, and the question."""
        needed, new = set(), set(leaves(question))
        while new:
            needed |= new
            new = {leaf for name in new & set(meanings) for leaf in leaves(meanings[name])} - needed
        told = [fact for fact in facts if fact.name in needed]
        known = set(letters(asked)).union(*(letters(fact.wordings[0]) for fact in told))
        told += [fact for fact in facts if not fact.name and (needed - known) & set(letters(fact.wordings[0]))]
        used = known.union(*(letters(fact.wordings[0]) for fact in told))
        spare = [fact for fact in facts if story.reversible and not used & set(letters(fact.wordings[0]))]
        extra = distracted and spare and self.rng.random() < 0.7
        if extra:
            told.append(self.rng.choice(spare))
        backwards = story.reversible and len(told) <= 2 and self.rng.random() < 0.5  # longer ones are hard to follow
        told.sort(key=story.facts.index, reverse=backwards)
        sentences = [self.rng.choice(fact.wordings) for fact in told]
        if distracted and not extra:
            sentences.append(self.rng.choice(self.distractors))
        return [*sentences, asked]

    def with_words(self, story, sentences):
        """{A}, {B}, {C} become names, {X} and {Y} things, {M} and {N} their singulars or measure words."""
        filled = dict(zip("ABC", (name for name, in self.rng.sample(self.words["name"], 3))))
        for kind in dict.fromkeys(story.lists.values()):
            places = [place for place in story.lists if story.lists[place] == kind]
            for place, word in zip(places, self.rng.sample(self.words[kind], len(places))):
                filled[place] = word[-1]
                if place in "XY":
                    filled["M" if place == "X" else "N"] = word[0]
        return [re.sub(r"{([A-Z])}", lambda match: filled[match[1]], sentence) for sentence in sentences]

    def finish(self, story, node, sentences):
        """Numbers that make sense and keep the balance, or None."""
        *sentences, unit = sentences
        order = letters(" ".join(sentences))
        masked = re.sub(r"{[a-z]}", "#", " ".join(sentences))
        if masked in self.masked:
            return None
        ratio = next((asked for asked in ("几分之几", "百分之几") if asked in sentences[-1]), None)
        grain = 0 if ratio else Fraction(1, 100) if story.measured else 1
        named = infix(node, {letter: f"N{place}" for place, letter in enumerate(order)})
        for _ in range(60):
            texts = {}
            for letter in self.shuffled(order):
                texts[letter] = draw(story.ranges.get(letter, "6..60"), list(texts.values()), self.rng)
            value = result(node, texts, grain)
            if value is None or len({number(text) for text in texts.values()}) < len(texts):
                continue
            if ratio and (value >= 2 or ((100 * value).denominator == 1) != (ratio == "百分之几")):
                continue
            alike = self.equations[look([texts[letter] for letter in order])]
            if alike[named] <= LARGEST_SHARE * alike.total():
                self.masked.add(masked)
                alike[named] += 1
                names = {letter: f"({text})" if "/" in text else text for letter, text in texts.items()}
                return sentences, texts, infix(node, names), value, unit


def chinese(corpus, id):
    """A record of Math23k."""
    sentences, texts, equation, value, _ = corpus.problem()
    spaced = {letter: re.sub(r"(\d+)/(\d+)", r"( \1 / \2 )", text) for letter, text in texts.items()}
    words = " ".join(sentences).format(**spaced)
    if "百分之几" in sentences[-1]:
        answer = f"{100 * value}%"
    elif value.denominator == 1 or "几分之几" not in sentences[-1]:
        answer = f"{float(value):.10g}"
    else:
        answer = f"(({value.numerator})/({value.denominator}))"
    return {"id": id, "original_text": words.replace(" ", ""), "segmented_text": words, "new_split": words,
            "equation": f"x={equation}", "ans": answer}


def english(corpus, id):
    """A <Problem> of ASDiv."""
    sentences, texts, equation, value, unit = corpus.problem()

    def written(match):
        sign, text = match[1], texts[match[2]]
        if text.isdigit() and int(text) <= 20 and not sign and corpus.rng.random() < 0.3:
            return CARDINALS[int(text) - 2]
        return sign + (f"{int(text):,}" if text.isdigit() else text)

    sentences = [re.sub(r"(\$?){([a-z])}", written, sentence) for sentence in sentences]
    sentences = [sentence[0].upper() + sentence[1:] for sentence in sentences]
    body, question = re.fullmatch(r"(.*\.) (.*)", " ".join(sentences)).groups()
    signs = {sign for sign in "+-*/" if sign in re.sub(r"\(\d+/\d+\)", "", equation)}
    kind = {"+": "Addition", "-": "Subtraction", "*": "Multiplication", "/": "Common-Division"}
    kind = kind[signs.pop()] if len(signs) == 1 else "Sequential-Operation"
    return f"""\t<Problem ID="{id}" Grade="5" Source="sample">
\t\t<Body>{body}</Body>
\t\t<Question>{question}</Question>
\t\t<Solution-Type>{kind}</Solution-Type>
\t\t<Answer>{value} ({unit})</Answer>
\t\t<Formula>{equation}={value}</Formula>
\t</Problem>"""


def write(path, text):
    """All or nothing: an interrupted run leaves no half-written file behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(text, encoding="utf-8", newline="\n")
    unfinished.replace(path)


def make(out, seed=0):
    out, rng = Path(out), random.Random(seed)
    corpus = Corpus(CHINESE, CHINESE_WORDS, CHINESE_DISTRACTORS, rng)
    records = [chinese(corpus, f"sample-zh-{count:04}") for count in range(sum(SIZES.values()))]
    rng.shuffle(records)
    for split, size in SIZES.items():
        part, records = records[:size], records[size:]
        write(out / "math23k" / f"{split}23k_processed_nodup.json",
              json.dumps(part, ensure_ascii=False, indent=0) + "\n")

    corpus = Corpus(ENGLISH, ENGLISH_WORDS, ENGLISH_DISTRACTORS, rng)
    ids = [f"sample-en-{count:04}" for count in range(FOLDS * FOLD_SIZE)]
    problems = "\n".join(english(corpus, id) for id in ids)
    write(out / "asdiv" / "ASDiv.xml", f"""<?xml version="1.0" encoding="UTF-8" ?>
<Machine-Reading-Corpus-File>

<ProblemSet>
{problems}
</ProblemSet>

</Machine-Reading-Corpus-File>
""")
    rng.shuffle(ids)
    for fold in range(FOLDS):
        write(out / "asdiv" / "nfolds" / "asdiv-a" / f"fold{fold}.txt",
              "".join(id + "\n" for id in ids[fold * FOLD_SIZE:(fold + 1) * FOLD_SIZE]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    make(arguments.out, arguments.seed)
