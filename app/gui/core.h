#pragma once
/// The libraries below the window, for headers that moc reads. moc needs none of them and stumbles over the
/// rule lists that are included inside an enumeration, so it is kept away from them.

#ifndef Q_MOC_RUN
#include "engine/base/result.h"
#include "engine/recording/recording.h"
#include "traces/document.h"
#include "ui/canvas/canvas.h"
#include "ui/view.h"
#endif
