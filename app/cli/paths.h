#pragma once
/// Where the files that come with hmmscope are: the lessons and the sample recordings. They are read from the
/// source tree the program was built from; HMMSCOPE_DATA_DIR in the environment names another copy of it.

#include <filesystem>

namespace hmmscope::app {

std::filesystem::path data_directory();
std::filesystem::path samples_directory();  ///< data_directory()/traces/samples
std::filesystem::path lessons_directory();  ///< data_directory()/lessons
/// What opens when no file is named: a capture of a real kernel.
std::filesystem::path default_recording();

}  // namespace hmmscope::app
