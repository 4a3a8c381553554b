#include "server/item_gets.h"

#include <cassert>

#include "protocol/message_fields.h"
#include "protocol/messages.h"
#include "server/operation_schemas.h"
#include "server/read_request.h"

namespace varve::server {

void EncodeAnswer(const item::Store::ItemRead& read, std::string& to) {
  protocol::FieldWriter writer(&to);
  if (read.found) writer.Bytes(1, read.encoded());
  writer(2, "ConsumedCapacity", read.consumed_capacity);
}

void ItemGets::LookUp(item::Store& store, const Prepared& prepared) {
  std::array<item::Store::ItemTry*, kMax> tries;
  size_t count = 0;
  for (size_t i = 0; i < size_; ++i) {
    Get& get = gets_[i];
    protocol::RequestExtras extras;
    Status status = ReadRequest(store, prepared, get.frame.header.type, get.frame.payload,
                                kGetItemSchema, &get.request, &extras);
    if (status.ok()) status = store.BeginRead(get.request, &get.item.read);
    if (status.ok()) tries[count++] = &get.item;
  }
  store.TryRead({tries.data(), count});
}

void ItemGets::EncodeAnswer(item::Store& store, size_t i, std::string& to) {
  assert(InMemory(i));
  store.FinishRead(gets_[i].request, &gets_[i].item.read);
  server::EncodeAnswer(gets_[i].item.read, to);
}

void ItemGets::Clear() {
  for (size_t i = 0; i < size_; ++i) {
    gets_[i].request = {};
    gets_[i].item = {};
  }
  size_ = 0;
}

}  // namespace varve::server
