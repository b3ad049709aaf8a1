#include "local/local_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <limits>

namespace claviger::local {
namespace {

namespace json = boost::json;

using Failure = std::unexpected<std::string>;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_name_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || c == '.' || c == '_' || c == '-';
}
bool is_letter_or_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z');
}

/// `q4_k_m`, `iq2_xxs`, `f16`, `bf16`, `tq1_0`, `mxfp4_moe`: what the community writes behind
/// a model's name. Lower case. A name such as `qwen` is none: a digit has to follow the q.
bool is_quantisation(std::string_view word) {
  if (word == "f16" || word == "f32" || word == "bf16" || word == "fp16" || word == "fp32" ||
      word == "mxfp4" || word == "mxfp4_moe" || word == "nvfp4" || word == "imat" || word == "i1" ||
      word == "ud" || word == "gguf") {
    return true;
  }
  if (word.starts_with("iq") || word.starts_with("tq")) word.remove_prefix(1);
  if (word.size() < 2 || word[0] != 'q' || !is_digit(word[1])) return false;
  return std::ranges::all_of(word.substr(1),
                             [](char c) { return is_letter_or_digit(c) || c == '_'; }) &&
         (word.size() == 2 || word[2] == '_');
}

/// `-00001-of-00003` at the end, as llama.cpp writes it.
bool ends_with_part_number(std::string_view name) {
  constexpr std::size_t length = std::string_view("-00001-of-00003").size();
  if (name.size() < length) return false;
  name = name.substr(name.size() - length);
  return name[0] == '-' && name.substr(6, 4) == "-of-" &&
         std::ranges::all_of(name.substr(1, 5), is_digit) &&
         std::ranges::all_of(name.substr(10), is_digit);
}

json::array to_array(const std::vector<std::filesystem::path>& files) {
  json::array out;
  for (const auto& file : files) out.emplace_back(file.string());
  return out;
}

std::expected<std::int64_t, std::string> read_number(std::string_view field,
                                                     const json::value& value) {
  if (const auto* number = value.if_int64()) return *number;
  return Failure(fmt::format("\"{}\" is not a whole number", field));
}

std::expected<std::string, std::string> read_text(std::string_view field,
                                                  const json::value& value) {
  if (const auto* text = value.if_string()) return std::string(*text);
  return Failure(fmt::format("\"{}\" is not a text", field));
}

std::expected<std::vector<std::filesystem::path>, std::string> read_files(
    std::string_view field, const json::value& value) {
  const auto* array = value.if_array();
  if (array == nullptr) return Failure(fmt::format("\"{}\" is not a list of files", field));
  std::vector<std::filesystem::path> files;
  for (const json::value& each : *array) {
    auto text = read_text(field, each);
    if (!text) return Failure(std::move(text.error()));
    files.emplace_back(std::move(*text));
  }
  return files;
}

std::expected<void, std::string> read_field(std::string_view field, const json::value& value,
                                            LocalModelOptions& options) {
  if (field == "context_tokens" || field == "threads") {
    const auto number = read_number(field, value);
    if (!number) return Failure(number.error());
    if (field == "context_tokens") {
      options.context_tokens = *number;
    } else {
      constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
      options.threads = static_cast<std::int32_t>(std::clamp<std::int64_t>(*number, -1, most));
    }
    return {};
  }
  if (field == "lora_files" || field == "split_files") {
    auto files = read_files(field, value);
    if (!files) return Failure(std::move(files.error()));
    (field == "lora_files" ? options.lora_files : options.split_files) = std::move(*files);
    return {};
  }
  auto text = read_text(field, value);
  if (field == "purpose") {
    if (!text) return Failure(text.error());
    if (*text != "generate" && *text != "embed") {
      return Failure(fmt::format("\"purpose\" is \"{}\"; expected generate or embed", *text));
    }
    options.purpose = *text == "embed" ? ModelPurpose::embed : ModelPurpose::generate;
  } else if (field == "chat_template") {
    if (!text) return Failure(text.error());
    options.chat_template = std::move(*text);
  } else if (field == "chat_template_file") {
    if (!text) return Failure(text.error());
    options.chat_template_file = std::move(*text);
  } else if (field == "projector_file") {
    if (!text) return Failure(text.error());
    options.projector_file = std::move(*text);
  } else {
    return Failure(fmt::format("\"{}\" is no option of a model", field));
  }
  return {};
}

}  // namespace

std::string to_json(const LocalModelOptions& options) {
  json::object out;
  if (options.context_tokens != 0) out["context_tokens"] = options.context_tokens;
  if (options.threads != 0) out["threads"] = options.threads;
  if (options.purpose == ModelPurpose::embed) out["purpose"] = "embed";
  if (!options.chat_template.empty()) out["chat_template"] = options.chat_template;
  if (!options.chat_template_file.empty()) {
    out["chat_template_file"] = options.chat_template_file.string();
  }
  if (!options.lora_files.empty()) out["lora_files"] = to_array(options.lora_files);
  if (!options.projector_file.empty()) out["projector_file"] = options.projector_file.string();
  if (!options.split_files.empty()) out["split_files"] = to_array(options.split_files);
  return json::serialize(out);
}

std::expected<LocalModelOptions, std::string> options_from_json(std::string_view text) {
  if (text.size() > options_json_bytes_max) {
    return Failure(fmt::format("options of {} bytes; at most {} are read", text.size(),
                               options_json_bytes_max));
  }
  json::parse_options rules;
  rules.max_depth = 4;
  rules.allow_invalid_utf8 = true;  // Linux file names are bytes.
  boost::system::error_code error;
  const json::value value = json::parse(text, error, {}, rules);
  if (error) return Failure(fmt::format("options are no JSON: {}", error.message()));
  const auto* object = value.if_object();
  if (object == nullptr) return Failure("options are no JSON object");
  LocalModelOptions options;
  for (const auto& field : *object) {
    if (auto read = read_field(field.key(), field.value(), options); !read) {
      return Failure(std::move(read.error()));
    }
  }
  if (auto checked = check_options(options); !checked) return Failure(std::move(checked.error()));
  return options;
}

std::expected<void, std::string> check_options(const LocalModelOptions& options) {
  if (options.context_tokens != 0 && (options.context_tokens < context_tokens_min ||
                                      options.context_tokens > context_tokens_max)) {
    return Failure(fmt::format("a context of {} tokens; choose {} to {}, or 0 for the model's own",
                               options.context_tokens, context_tokens_min, context_tokens_max));
  }
  if (options.threads < 0 || options.threads > threads_max) {
    return Failure(fmt::format("{} threads; choose 1 to {}, or 0 for the server's setting",
                               options.threads, threads_max));
  }
  if (!options.chat_template.empty() && !options.chat_template_file.empty()) {
    return Failure("both a chat template's name and a file are given; choose one");
  }
  if (options.chat_template.size() > model_name_bytes_max ||
      !std::ranges::all_of(options.chat_template, is_name_character)) {
    return Failure(
        "the chat template's name is none; give a built-in one such as chatml, or a "
        "file");
  }
  if (options.lora_files.size() > lora_files_max) {
    return Failure(fmt::format("{} LoRA files; at most {} can be combined",
                               options.lora_files.size(), lora_files_max));
  }
  if (options.split_files.size() > split_files_max) {
    return Failure(fmt::format("{} further parts; at most {} are possible",
                               options.split_files.size(), split_files_max));
  }
  const auto all_absolute = [](const std::vector<std::filesystem::path>& files) {
    return std::ranges::all_of(files, [](const auto& file) { return file.is_absolute(); });
  };
  if (!all_absolute(options.lora_files) || !all_absolute(options.split_files) ||
      (!options.projector_file.empty() && !options.projector_file.is_absolute()) ||
      (!options.chat_template_file.empty() && !options.chat_template_file.is_absolute())) {
    return Failure("a file is given by a relative path; give it from / on");
  }
  return {};
}

bool is_model_name(std::string_view name) {
  return !name.empty() && name.size() <= model_name_bytes_max &&
         std::ranges::all_of(name, is_name_character) && is_letter_or_digit(name.front()) &&
         is_letter_or_digit(name.back());
}

std::string model_name_from(const std::filesystem::path& file) {
  std::string name = file.filename().string();
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (name.ends_with(".gguf")) name.resize(name.size() - 5);
  if (ends_with_part_number(name)) name.resize(name.size() - 15);
  for (;;) {
    const std::size_t cut = name.find_last_of(".-");
    if (cut == std::string::npos || cut == 0 || !is_quantisation(name.substr(cut + 1))) break;
    name.resize(cut);
  }
  std::string out;
  for (const char c : name) {
    if (is_name_character(c)) {
      out += c;
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  if (out.size() > model_name_bytes_max) out.resize(model_name_bytes_max);
  while (!out.empty() && !is_letter_or_digit(out.back())) out.pop_back();
  const auto begin = std::ranges::find_if(out, is_letter_or_digit);
  out.erase(out.begin(), begin);
  return out.empty() ? "model" : out;
}

}  // namespace claviger::local
