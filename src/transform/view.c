/* SPDX-License-Identifier: Apache-2.0 */
/* transform/view.c: composing the normal form of a view (see image.h). Two rectangles tell what is shown:
 * clip is what the resized crop gives, canvas the frame it lies in. clip always lies within canvas. */
#include "transform/image.h"

static bool is_same(const mill__rect *a, const mill__rect *b)
{
    return a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height;
}

static bool is_empty(const mill__rect *a)
{
    return !a->width || !a->height;
}

/* What two rectangles share; an empty share has no width and no height. */
static mill__rect overlap(const mill__rect *a, const mill__rect *b)
{
    int64_t left = a->x > b->x ? a->x : b->x, top = a->y > b->y ? a->y : b->y;
    int64_t right = a->x + a->width < b->x + b->width ? a->x + a->width : b->x + b->width;
    int64_t bottom = a->y + a->height < b->y + b->height ? a->y + a->height : b->y + b->height;
    if (right <= left || bottom <= top)
        return (mill__rect){.x = a->x, .y = a->y};
    return (mill__rect){left, top, right - left, bottom - top};
}

static bool shows_whole_crop(const mill_view *view)
{
    mill__rect whole = {0, 0, view->resized_width, view->resized_height};
    return is_same(&view->clip, &whole) && is_same(&view->canvas, &whole);
}

void mill__view_init(mill_view *view, int64_t width, int64_t height)
{
    mill__rect whole = {0, 0, width, height};
    *view = (mill_view){.source_width = width,
                        .source_height = height,
                        .crop = whole,
                        .resized_width = width,
                        .resized_height = height,
                        .filter = MILL_BILINEAR,
                        .clip = whole,
                        .canvas = whole};
}

int64_t mill_view_width(const mill_view *view)
{
    return view->canvas.width;
}

int64_t mill_view_height(const mill_view *view)
{
    return view->canvas.height;
}

static bool is_side(int64_t n)
{
    return n >= 1 && n <= MILL__VIEW_MAX;
}

static bool is_place(int64_t n)
{
    return n >= -MILL__VIEW_MAX && n <= MILL__VIEW_MAX;
}

/* A crop of the resized crop: the frame moves, and of what it showed only what lies in the new frame stays.
 * There can be fill that was in the old frame and fill that is new; one view has one colour for both. */
static mill_status move_canvas(mill_view *view, const mill__rect *canvas, uint8_t fill)
{
    if (!is_place(canvas->x) || !is_place(canvas->y))
        return MILL_LIMIT;
    if (view->border) /* is made of the whole clip */
        return is_same(canvas, &view->canvas) ? MILL_OK : MILL_AGAIN;
    mill__rect old = overlap(canvas, &view->canvas), clip = overlap(canvas, &view->clip);
    bool shows_old_fill = !is_empty(&old) && !is_same(&old, &clip);
    bool shows_new_fill = !is_same(&old, canvas);
    if (shows_old_fill && shows_new_fill && fill != view->fill)
        return MILL_AGAIN;
    if (shows_new_fill)
        view->fill = fill;
    view->canvas = *canvas;
    view->clip = clip;
    return MILL_OK;
}

mill_status mill_view_crop(mill_view *view, int64_t x, int64_t y, int64_t width, int64_t height, uint8_t fill)
{
    if (!is_side(width) || !is_side(height) || !is_place(x) || !is_place(y))
        return MILL_USAGE;
    int64_t shown_x = view->flip ? view->canvas.width - x - width : x;
    mill__rect rect = {view->canvas.x + shown_x, view->canvas.y + y, width, height};
    bool inside = rect.x >= 0 && rect.y >= 0 && rect.x + width <= view->resized_width &&
                  rect.y + height <= view->resized_height;
    if (view->resized || view->flip || !inside || !shows_whole_crop(view))
        return move_canvas(view, &rect, fill);
    mill__rect whole = {0, 0, width, height};
    view->crop = (mill__rect){view->crop.x + x, view->crop.y + y, width, height};
    view->resized_width = width;
    view->resized_height = height;
    view->clip = view->canvas = whole;
    return MILL_OK;
}

mill_status mill_view_resize(mill_view *view, int64_t width, int64_t height, mill_filter filter)
{
    if (!is_side(width) || !is_side(height) || (unsigned)filter > MILL_LANCZOS)
        return MILL_USAGE;
    if (width == view->canvas.width && height == view->canvas.height) {
        view->resized = true;
        return MILL_OK;
    }
    if (view->resized || view->flip || !shows_whole_crop(view))
        return MILL_AGAIN;
    mill__rect whole = {0, 0, width, height};
    view->resized = true;
    view->resized_width = width;
    view->resized_height = height;
    view->filter = filter;
    view->clip = view->canvas = whole;
    return MILL_OK;
}

mill_status mill__view_resize_part(mill_view *view, const mill__part *part, int64_t width, int64_t height,
                                   mill_filter filter)
{
    float right = (float)view->canvas.width, bottom = (float)view->canvas.height;
    if (!(part->left >= 0 && part->top >= 0 && part->left < part->right && part->top < part->bottom &&
          part->right <= right && part->bottom <= bottom))
        return MILL_BAD_DATA;
    if (part->left == 0 && part->top == 0 && part->right == right && part->bottom == bottom)
        return mill_view_resize(view, width, height, filter);
    if (!is_side(width) || !is_side(height) || (unsigned)filter > MILL_LANCZOS)
        return MILL_USAGE;
    if (view->resized || view->flip || !shows_whole_crop(view))
        return MILL_AGAIN;
    mill__rect whole = {0, 0, width, height};
    view->part = *part;
    view->part.given = view->resized = true;
    view->resized_width = width;
    view->resized_height = height;
    view->filter = filter;
    view->clip = view->canvas = whole;
    return MILL_OK;
}

mill_status mill__view_border(mill_view *view, int64_t left, int64_t top, int64_t right, int64_t bottom,
                              mill__border border)
{
    mill__rect canvas = view->canvas;
    canvas.x -= view->flip ? right : left;
    canvas.y -= top;
    canvas.width += left + right;
    canvas.height += top + bottom;
    if (!is_side(canvas.width) || !is_side(canvas.height) || !is_place(canvas.x) || !is_place(canvas.y))
        return MILL_LIMIT;
    if (is_same(&canvas, &view->canvas))
        return MILL_OK;
    if (!is_same(&view->clip, &view->canvas) || view->border)
        return MILL_AGAIN;
    view->canvas = canvas;
    view->border = border;
    return MILL_OK;
}

mill_status mill_view_hflip(mill_view *view)
{
    view->flip = !view->flip;
    return MILL_OK;
}
