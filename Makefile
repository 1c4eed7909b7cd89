# shardmill: build, test, install. `make list` names the targets.
#   CC=clang               build with clang and libomp (default: gcc and libgomp)
#   SAN=address,undefined  build with sanitizers
#   V=1                    show commands;  DEPS=no: never install packages;  BUILD=dir: build elsewhere
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

ifeq ($(origin CC),default)
CC := gcc
endif
CXX     ?= g++
AR      ?= ar
PREFIX  ?= /usr/local
DESTDIR ?=
DEPS    ?= yes
PYTHON  ?= python3
PKG_CONFIG ?= pkg-config

empty :=
comma := ,
SAN   ?=
BUILD ?= build/$(notdir $(firstword $(CC)))$(if $(SAN),-$(subst $(comma),-,$(SAN)))

VERSION := $(shell sed -n 's/^.define MILL_VERSION  *"\(.*\)"/\1/p' include/shardmill/types.h)
MAJOR   := $(firstword $(subst ., ,$(VERSION)))

ifneq ($(V),1)
Q := @
say = @printf '  %-7s %s\n' $(1) $(2)
endif

CFLAGS ?= -O2 -g
WARN   := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
HOUSE  := -std=gnu17 -D_GNU_SOURCE -fPIC -fvisibility=hidden -ffp-contract=off -fno-math-errno -MMD -MP
SANFLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
INC    := -Iinclude -Isrc
LIBS   := -ljpeg -luring -lxxhash -ljansson -lm -lpthread
ALL_CFLAGS = $(HOUSE) $(WARN) $(SANFLAGS) $(CFLAGS) $(CPPFLAGS)

ARCH := $(shell $(CC) -dumpmachine 2>/dev/null)
ifneq ($(filter x86_64%,$(ARCH)),)
LEVELS := x86-64-v3 x86-64-v4
endif

# Each src/kernel/*_levels.c is compiled once a level; everything else once.
LEVEL_SRCS := $(wildcard src/kernel/*_levels.c)
LIB_SRCS := $(filter-out $(LEVEL_SRCS),$(wildcard src/*.c $(addprefix src/,$(addsuffix /*.c,base source format sample transform kernel sink engine api))))
CLI_SRCS := $(wildcard src/cli/*.c)
LIB_OBJS := $(LIB_SRCS:%.c=$(BUILD)/%.o) \
            $(foreach s,$(LEVEL_SRCS),$(foreach l,base $(LEVELS),$(BUILD)/$(s:%.c=%).$(l).o))
CLI_OBJS := $(CLI_SRCS:%.c=$(BUILD)/%.o)
UNIT_SRCS  := $(wildcard tests/unit/test_*.c)
UNIT_TESTS := $(UNIT_SRCS:tests/unit/%.c=$(BUILD)/tests/%)
BENCH_SRCS := $(wildcard bench/*.c)
BENCHES    := $(BENCH_SRCS:bench/%.c=$(BUILD)/bench/%)
EXAMPLES   := $(patsubst examples/%.c,$(BUILD)/examples/%,$(wildcard examples/*.c))

LIB_A  := $(BUILD)/libshardmill.a
LIB_SO := $(BUILD)/libshardmill.so.$(VERSION)
BIN    := $(BUILD)/shardmill

.PHONY: all lib
all: lib $(BIN)
lib: $(LIB_A) $(LIB_SO)

# OpenMP is used by the engine alone (src/engine/team.c).
$(BUILD)/src/engine/team.o: HOUSE += -fopenmp

$(LIB_OBJS) $(CLI_OBJS): | deps-quiet

$(filter-out $(BUILD)/src/cli/%,$(LIB_SRCS:%.c=$(BUILD)/%.o)): $(BUILD)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(INC) -c $< -o $@

# The command sees the public headers only.
$(CLI_OBJS): $(BUILD)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Iinclude -c $< -o $@

define level_rule
$$(BUILD)/$(1:%.c=%).$(2).o: $(1)
	$$(call say,CC,'$(1) ($(2))')
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(ALL_CFLAGS) -O3 $(if $(filter-out base,$(2)),-march=$(2)) -DMILL__LEVEL=$(subst -,_,$(2)) -DMILL__LEVEL_NAME='"$(2)"' $$(INC) -c $$< -o $$@
endef
$(foreach s,$(LEVEL_SRCS),$(foreach l,base $(LEVELS),$(eval $(call level_rule,$(s),$(l)))))

$(LIB_A): $(LIB_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(LIB_SO): $(LIB_OBJS) src/shardmill.map
	$(call say,LD,$@)
	$(Q)$(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -shared -fopenmp -Wl,-soname,libshardmill.so.$(MAJOR) \
	  -Wl,--version-script,src/shardmill.map $(if $(SAN),,-Wl$(comma)-z$(comma)defs) -Wl,-z,nodelete $(LIB_OBJS) $(LIBS) -o $@
	$(Q)ln -sf $(notdir $@) $(BUILD)/libshardmill.so.$(MAJOR) && ln -sf $(notdir $@) $(BUILD)/libshardmill.so

$(BIN): $(CLI_OBJS) $(LIB_A)
	$(call say,LD,$@)
	$(Q)$(CC) $(SANFLAGS) $(CFLAGS) $(LDFLAGS) -fopenmp $(CLI_OBJS) $(LIB_A) $(LIBS) -o $@

# Unit tests see the inside and link the static library.
$(UNIT_TESTS): $(BUILD)/tests/%: tests/unit/%.c $(LIB_A)
	$(call say,TEST,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(INC) -Itests -fopenmp $< $(LDFLAGS) $(LIB_A) $(LIBS) \
	  $$($(PKG_CONFIG) --cflags --libs check) -o $@

$(BENCHES): $(BUILD)/bench/%: bench/%.c $(LIB_A)
	$(call say,BENCH,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(INC) -fopenmp $< $(LDFLAGS) $(LIB_A) $(LIBS) -o $@

$(EXAMPLES): $(BUILD)/examples/%: examples/%.c $(LIB_A)
	$(call say,EXAMPLE,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Iinclude -fopenmp $< $(LDFLAGS) $(LIB_A) $(LIBS) -o $@

.PHONY: deps-quiet unit-tests benches examples clean
deps-quiet:
unit-tests: $(UNIT_TESTS)
benches: $(BENCHES)
examples: $(EXAMPLES)
clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
